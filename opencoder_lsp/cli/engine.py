"""`opencoder-lsp engine`: look at and stop the engine that editors share."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.live import Live
from rich.text import Text

from opencoder_lsp.cli.engine_report import Report, collect
from opencoder_lsp.cli.terminal import console, print_json
from opencoder_lsp.client.http import without_password
from opencoder_lsp.client.launcher import (
    EngineProcess,
    running_engines,
    socket_path,
    stop_engine,
)
from opencoder_lsp.client.roles import by_engine, called
from opencoder_lsp.errors import EngineUnavailableError, ModelError, SettingsError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

_STOP_ALL = "opencoder-lsp engine stop --all"
_REFRESH = 1.0  # seconds between two looks


Ways = dict[str, tuple[str, Settings]]


def _ways(settings: Settings) -> Ways:
    """Return, by what each is called, the address of every role's engine and what leads there."""
    return {
        called(roles): (own.engine.url or f"unix:{socket_path(registry.resolve(own))}", own)
        for roles, own in by_engine(settings)
    }


def _say(text: str) -> None:
    console.print(text, soft_wrap=True)


@dataclass(frozen=True)
class _All:
    """The engines that the settings lead to, by what each is called, and this machine's others."""

    own: dict[str, Report]
    others: list[Report]

    def as_json(self) -> dict[str, Any]:
        """Return the engine of completions, with that of chats in it where it is another one."""
        first, *second = (report.as_json() for report in self.own.values())
        chats = {"chat": second[0]} if second else {}
        return {**first, **chats, "others": [report.as_json() for report in self.others]}


async def _collect(ways: Ways, settings: Settings) -> _All:
    engines = {f"unix:{socket}": engine for socket, engine in running_engines().items()}
    own = [collect(url, engines.pop(url, None), mine) for url, mine in ways.values()]
    others = [collect(url, engine, settings) for url, engine in engines.items()]
    reports = await asyncio.gather(*own, *others)
    return _All(dict(zip(ways, reports, strict=False)), reports[len(ways) :])


def _lines(now: _All, before: _All | None = None) -> Iterator[str]:
    for what, report in now.own.items():
        if report.health is None and report.process is None:
            yield f"no {what} is running: {report.problem}"
        else:
            yield f"the {what} at {without_password(report.url)}"
            yield from report.lines(before.own.get(what) if before else None)
    earlier = {report.url: report for report in before.others} if before else {}
    for other in now.others:
        assert other.process is not None
        yield ""
        yield _another(other.process)
        yield from other.lines(earlier.get(other.url))


def show_status(settings: Settings, *, as_json: bool, watch: bool = False) -> int:
    """
    Print how the engine is, or each role's, and those of other models or versions.

    Returns 1 where one that the settings lead to does not run. With `watch` again and again until
    Ctrl-C, which is no error. Raises ModelError where there is no model whose engine it could be,
    and SettingsError for `watch` as JSON.
    """
    if watch and as_json:
        raise SettingsError("--watch is for people, --json for scripts: give one of them")
    try:
        ways = _ways(settings)
    except ModelError:
        if not as_json:
            for engine in running_engines().values():
                _say(_another(engine))
        raise
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_watch(ways, settings))
        return 0
    now = asyncio.run(_collect(ways, settings))
    if as_json:
        print_json(now.as_json())
    else:
        for line in _lines(now):
            _say(line)
    return int(any(report.health is None for report in now.own.values()))


async def _watch(ways: Ways, settings: Settings) -> None:
    before: _All | None = None
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            now = await _collect(ways, settings)
            live.update(Text("\n".join(_lines(now, before))), refresh=True)
            before = now
            await asyncio.sleep(_REFRESH)


def stop(settings: Settings, everything: bool = False) -> int:
    """
    End this machine's engine, or each role's, or with `everything` all of this user's.

    Goes on with the others where one cannot be ended; returns 1 then, and where none runs.
    """
    running, ways = running_engines(), {} if everything else _ways(settings)
    elsewhere = [own.engine.url for _, own in ways.values() if own.engine.url]
    for url in elsewhere:
        _say(f"the engine at {without_password(url)} is not ours to stop")
    ours = {url for url, own in ways.values() if not own.engine.url}
    engines = [one for socket, one in running.items() if everything or f"unix:{socket}" in ours]
    if not engines and not elsewhere:
        _say("no engine is running")
    code = 0 if engines and not elsewhere else 1
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
