"""What `doctor` finds out about the engine: whether it answers, and if not, what it is doing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from opencoder_lsp.cli.remote_findings import PATIENCE, Finding, present, remote_findings
from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.client.launcher import EngineProcess, running_engines, socket_path
from opencoder_lsp.client.log_file import last_line, log_path
from opencoder_lsp.client.roles import by_engine, called
from opencoder_lsp.errors import EngineError, OpencoderError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

_STOP = "opencoder-lsp engine stop"
_LOGS = "opencoder-lsp engine logs"
_ORDERLY = "engine ended"  # what the engine writes last where nothing went wrong


def engine_findings(settings: Settings) -> Iterator[Finding]:
    """Look at the engine that these settings lead to, then at those of other models, versions."""
    try:
        engines = running_engines()
    except OpencoderError:  # the socket folder, which has a line of its own
        return
    for roles, own in by_engine(settings):
        what = called(roles)
        if own.engine.url:
            yield from remote_findings(own, what)
        else:
            yield _ours(own, what, engines)
    for other in engines.values():
        detail = f"that of {other.model}, version {other.version} (process {other.pid}) runs, too"
        yield Finding("engine", "note", detail, f"to end it: {_STOP} --all")


def _ours(settings: Settings, what: str, engines: dict[Path, EngineProcess]) -> Finding:
    """Look at this machine's engine, called `what` here, and take it out of `engines`."""
    try:
        socket = socket_path(registry.resolve(settings))
    except OpencoderError:  # the model, which has a line of its own
        return Finding(what, "note", "not looked for without a model")
    process = engines.pop(socket, None)
    try:
        health = asyncio.run(_health(f"unix:{socket}"))
    except EngineError as error:
        if process is not None:
            detail = f"process {process.pid} runs but does not answer: {error}"
            return Finding(what, "bad", detail, _STOP)
        return _absent(what, socket)
    return present(health, what)


async def _health(url: str) -> Health:
    client = EngineClient(url, limits=PATIENCE)
    try:
        return await client.health()
    finally:
        await client.close()


def _absent(what: str, socket: Path) -> Finding:
    last = last_line(log_path(socket))
    if last and not last.endswith(_ORDERLY):
        return Finding(what, "note", f"not running; the last thing it said: {last}", _LOGS)
    return Finding(what, "note", "not running", "the first editor starts it")
