"""What `doctor` finds out about the engine: whether it answers, and if not, what it is doing."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opencoder_lsp.client.engine import EngineClient, Health, Limits
from opencoder_lsp.client.launcher import EngineProcess, running_engines, socket_path
from opencoder_lsp.client.log_file import last_line, log_path
from opencoder_lsp.errors import EngineError, OpencoderError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

_PATIENCE = Limits(connect=5.0, first=5.0, stall=5.0)
_STOP = "opencoder-lsp engine stop"
_LOGS = "opencoder-lsp engine logs"
_ORDERLY = "engine ended"  # what the engine writes last where nothing went wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `cure` is what to do where the state is not ok."""

    what: str
    state: Literal["ok", "note", "bad"]
    detail: str
    cure: str = ""


def engine_findings(settings: Settings) -> Iterator[Finding]:
    """Look at the engine that these settings lead to, then at those of other models, versions."""
    try:
        engines = running_engines()
    except OpencoderError:  # the socket folder, which has a line of its own
        return
    try:
        socket = None if settings.engine.url else socket_path(registry.resolve(settings))
    except OpencoderError:  # so has the model
        yield Finding("engine", "note", "not looked for without a model")
    else:
        yield _own(settings, socket, engines.pop(socket, None) if socket else None)
    for other in engines.values():
        detail = f"that of {other.model}, version {other.version} (process {other.pid}) runs, too"
        yield Finding("engine", "note", detail, f"to end it: {_STOP} --all")


def _own(settings: Settings, socket: Path | None, process: EngineProcess | None) -> Finding:
    try:
        health = asyncio.run(_health(settings.engine.url or f"unix:{socket}"))
    except EngineError as error:
        if socket is None:
            return Finding("engine", "bad", str(error), "start an engine there")
        if process is not None:
            detail = f"process {process.pid} runs but does not answer: {error}"
            return Finding("engine", "bad", detail, _STOP)
        return _absent(socket)
    return _present(health)


async def _health(url: str) -> Health:
    client = EngineClient(url, limits=_PATIENCE)
    try:
        return await client.health()
    finally:
        await client.close()


def _absent(socket: Path) -> Finding:
    last = last_line(log_path(socket))
    if last and not last.endswith(_ORDERLY):
        return Finding("engine", "note", f"not running; the last thing it said: {last}", _LOGS)
    return Finding("engine", "note", "not running", "the first editor starts it")


def _present(health: Health) -> Finding:
    detail = f"{health.model} is {health.state}"
    if health.state == "error":
        return Finding("engine", "bad", f"{detail}: {health.cause}", _LOGS)
    if health.state == "loading":
        return Finding("engine", "note", f"{detail} ({health.progress:.0%})", "wait for it")
    if health.state == "draining":
        return Finding("engine", "note", f"{detail}: it ends", "the next editor starts another")
    return Finding("engine", "ok", f"{detail} (process {health.pid}, {health.device})")
