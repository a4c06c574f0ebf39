"""`opencoder-lsp engine`: look at and stop the engine that editors share."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict

from opencoder_lsp.cli.terminal import console, print_json
from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.client.http import without_password
from opencoder_lsp.client.launcher import (
    EngineProcess,
    running_engine,
    running_engines,
    socket_path,
    stop_engine,
)
from opencoder_lsp.errors import EngineError, EngineUnavailableError, ModelError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

_STOP_ALL = "opencoder-lsp engine stop --all"


def _url(settings: Settings) -> str:
    return settings.engine.url or f"unix:{socket_path(registry.resolve(settings))}"


def _say(text: str) -> None:
    console.print(text, soft_wrap=True)


async def engine_health(settings: Settings) -> Health:
    """Ask the engine that these settings lead to; EngineError where none answers."""
    client = EngineClient(_url(settings))
    try:
        return await client.health()
    finally:
        await client.close()


def show_status(settings: Settings, *, as_json: bool) -> int:
    """
    Print the engine's health, and which engines of other models or versions run; 1 where none runs.

    Raises ModelError where there is no model whose engine it could be.
    """
    try:
        url = without_password(_url(settings))
    except ModelError:
        if not as_json:
            _say_others(running_engines().values())
        raise
    others = [engine for socket, engine in running_engines().items() if url != f"unix:{socket}"]
    try:
        health = asyncio.run(engine_health(settings))
    except EngineError as error:
        if as_json:
            print_json({"running": False, "message": str(error), "others": _records(others)})
        else:
            _say(f"no engine is running: {error}")
            _say_others(others)
        return 1
    if as_json:
        print_json({"running": True, "url": url, **asdict(health), "others": _records(others)})
        return 0
    for name, value in asdict(health).items():
        _say(f"{name:20} {value}")
    _say_others(others)
    return 0


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
        _say_others(other for other in running_engines().values() if other not in engines)
    return code


def _describe(engine: EngineProcess) -> str:
    return f"of {engine.model}, version {engine.version} (process {engine.pid})"


def _records(engines: Iterable[EngineProcess]) -> list[dict[str, object]]:
    return [asdict(engine) for engine in engines]


def _say_others(engines: Iterable[EngineProcess]) -> None:
    for engine in engines:
        _say(f"another engine runs, {_describe(engine)}; to end all: {_STOP_ALL}")
