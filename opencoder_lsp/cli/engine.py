"""`opencoder-lsp engine`: look at and stop the engine that editors share."""

import asyncio
from dataclasses import asdict

from opencoder_lsp.cli.terminal import console, print_json
from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.client.launcher import running_engine, socket_path, stop_engine
from opencoder_lsp.errors import EngineError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings


def _url(settings: Settings) -> str:
    return settings.engine.url or f"unix:{socket_path(registry.resolve(settings))}"


async def engine_health(settings: Settings) -> Health:
    """Ask the engine that these settings lead to; EngineError where none answers."""
    client = EngineClient(_url(settings))
    try:
        return await client.health()
    finally:
        await client.close()


def show_status(settings: Settings, *, as_json: bool) -> int:
    """Print the engine's health; 1 where none runs."""
    try:
        health = asyncio.run(engine_health(settings))
    except EngineError as error:
        if as_json:
            print_json({"running": False, "message": str(error)})
        else:
            console.print(f"no engine is running: {error}", soft_wrap=True)
        return 1
    if as_json:
        print_json({"running": True, "url": _url(settings), **asdict(health)})
        return 0
    for name, value in asdict(health).items():
        console.print(f"{name:20} {value}", soft_wrap=True)
    return 0


def stop(settings: Settings) -> int:
    """End this machine's engine; 1 where none runs."""
    if settings.engine.url:
        console.print(f"the engine at {settings.engine.url} is not ours to stop")
        return 1
    engine = running_engine(socket_path(registry.resolve(settings)))
    if engine is None:
        console.print("no engine is running")
        return 1
    stop_engine(engine)
    console.print(f"stopped the engine (process {engine.pid})")
    return 0
