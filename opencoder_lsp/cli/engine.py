"""`opencoder-lsp engine`: look at and stop the engine that editors share."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from rich.live import Live
from rich.text import Text

from opencoder_lsp.cli.engine_report import Report, collect
from opencoder_lsp.cli.terminal import console, print_json
from opencoder_lsp.client.http import without_password
from opencoder_lsp.client.launcher import (
    EngineProcess,
    running_engine,
    running_engines,
    socket_path,
    stop_engine,
)
from opencoder_lsp.errors import EngineUnavailableError, ModelError, SettingsError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

_STOP_ALL = "opencoder-lsp engine stop --all"
_REFRESH = 1.0  # seconds between two looks


def _url(settings: Settings) -> str:
    return settings.engine.url or f"unix:{socket_path(registry.resolve(settings))}"


def _say(text: str) -> None:
    console.print(text, soft_wrap=True)


@dataclass(frozen=True)
class _All:
    """The engine that the settings lead to, and this machine's others."""

    own: Report
    others: list[Report]


async def _collect(url: str, settings: Settings) -> _All:
    engines = running_engines()
    own = next((engine for socket, engine in engines.items() if url == f"unix:{socket}"), None)
    others = [(f"unix:{socket}", engine) for socket, engine in engines.items() if engine != own]
    first, *rest = await asyncio.gather(
        collect(url, own, settings), *(collect(*other, settings) for other in others)
    )
    return _All(first, rest)


def _lines(now: _All, before: _All | None = None) -> Iterator[str]:
    if now.own.health is None and now.own.process is None:
        yield f"no engine is running: {now.own.problem}"
    else:
        yield f"the engine at {without_password(now.own.url)}"
        yield from now.own.lines(before.own if before else None)
    earlier = {report.url: report for report in before.others} if before else {}
    for other in now.others:
        assert other.process is not None
        yield ""
        yield _another(other.process)
        yield from other.lines(earlier.get(other.url))


def show_status(settings: Settings, *, as_json: bool, watch: bool = False) -> int:
    """
    Print how the engine is, and the engines of other models or versions; 1 where it does not run.

    With `watch` again and again until Ctrl-C, which is no error. Raises ModelError where there is
    no model whose engine it could be, and SettingsError for `watch` as JSON.
    """
    if watch and as_json:
        raise SettingsError("--watch is for people, --json for scripts: give one of them")
    try:
        url = _url(settings)
    except ModelError:
        if not as_json:
            for engine in running_engines().values():
                _say(_another(engine))
        raise
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_watch(url, settings))
        return 0
    now = asyncio.run(_collect(url, settings))
    if as_json:
        print_json({**now.own.as_json(), "others": [report.as_json() for report in now.others]})
    else:
        for line in _lines(now):
            _say(line)
    return 0 if now.own.health is not None else 1


async def _watch(url: str, settings: Settings) -> None:
    before: _All | None = None
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            now = await _collect(url, settings)
            live.update(Text("\n".join(_lines(now, before))), refresh=True)
            before = now
            await asyncio.sleep(_REFRESH)


def stop(settings: Settings, everything: bool = False) -> int:
    """
    End this machine's engine, or with `everything` all of this user's; 1 where none runs.

    Goes on with the others where one cannot be ended, and returns 1.
    """
    if everything:
        engines = list(running_engines().values())
    elif settings.engine.url:
        _say(f"the engine at {without_password(settings.engine.url)} is not ours to stop")
        return 1
    else:
        engine = running_engine(socket_path(registry.resolve(settings)))
        engines = [engine] if engine else []
    if not engines:
        _say("no engine is running")
    code = 0 if engines else 1
    for engine in engines:
        try:
            stop_engine(engine)
            _say(f"stopped the engine {_describe(engine)}")
        except EngineUnavailableError as error:
            _say(str(error))
            code = 1
    if not everything:
        for other in running_engines().values():
            if other not in engines:
                _say(_another(other))
    return code


def _describe(engine: EngineProcess) -> str:
    return f"of {engine.model}, version {engine.version} (process {engine.pid})"


def _another(engine: EngineProcess) -> str:
    return f"another engine runs, {_describe(engine)}; to end all: {_STOP_ALL}"
