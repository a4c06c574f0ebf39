"""The event loop of the process: HTTP on our own socket, from loading to the last answer."""

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator

import uvicorn

from opencoder_lsp.engine.app import App
from opencoder_lsp.engine.core import Engine
from opencoder_lsp.engine.lifetime import DRAIN_SECONDS, FIRST_SECONDS, Lifetime
from opencoder_lsp.engine.status import Status
from opencoder_lsp.engine.watchdog import StuckError, until_stuck
from opencoder_lsp.serving.server import Protocol, Server

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_CLOSE_SECONDS = 2  # for answers that are being written when the server ends


class _Protocol(Protocol):
    """HTTP that hangs up on other users before it reads a byte of theirs."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it where its other end is not this user's."""
        super().connection_made(transport)
        try:
            uid = peer_uid(transport.get_extra_info("socket"))
        except OSError as error:  # macOS does not know any more who has left already
            log.warning("closed a connection of an unknown user: %s", error.strerror)
            transport.abort()
            return
        if uid != os.geteuid():
            log.warning("closed a connection of another user (uid %d)", uid)
            transport.abort()


def peer_uid(connection: socket.socket) -> int:
    """
    Return the effective user id that the other end of a Unix socket had when it connected.

    Raises OSError. Linux: `struct ucred`, unix(7); macOS: `struct xucred`, sys/ucred.h.
    """
    if sys.platform == "darwin":
        sol_local, local_peercred = 0, 1  # sys/un.h
        xucred = "IIh16I"  # version, uid, number of groups, groups
        record = connection.getsockopt(sol_local, local_peercred, struct.calcsize(xucred))
        uid = struct.unpack_from("II", record)[1]
    else:
        ucred = "iII"  # pid, uid, gid
        size = struct.calcsize(ucred)
        record = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        uid = struct.unpack(ucred, record)[1]
    return int(uid)


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, lifetime: Lifetime) -> Iterator[None]:
    """Let signals drain, also one that `__main__` has held back until now."""
    for number in SIGNALS:
        loop.add_signal_handler(number, lifetime.drain)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _server(app: App) -> Server:
    return Server(
        uvicorn.Config(
            app.starlette(),
            http=_Protocol,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_CLOSE_SECONDS,
        )
    )


async def serve(
    listener: socket.socket,
    engine: Engine,
    status: Status,
    *,
    linger: float,
    step_seconds: float = 0,
    first: float = FIRST_SECONDS,
    drain_seconds: float = DRAIN_SECONDS,
) -> None:
    """
    Load and serve until nobody has used the engine for `linger` seconds, or a signal comes.

    Before the first use it waits `first` seconds, if that is longer. At the end new requests are
    refused, those at work get `drain_seconds`. A step of the model that takes longer than
    `step_seconds` (0 for any time) is such an end, too, but an error for those at work.
    """
    loop = asyncio.get_running_loop()
    lifetime = Lifetime(linger, first)
    app = App(engine, status, lifetime)
    server = _server(app)
    engine.on_lost = functools.partial(loop.call_soon_threadsafe, lifetime.drain)
    with _signals(loop, lifetime):
        engine.start()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        watching = [asyncio.create_task(_shorten_on_error(status, lifetime))]
        if step_seconds:
            watching.append(asyncio.create_task(_watch_steps(engine, app, step_seconds)))
        ending = asyncio.create_task(lifetime.until_end())
        try:
            await asyncio.wait({ending, serving}, return_when=asyncio.FIRST_COMPLETED)
            log.info("ending: %d requests at work", engine.unfinished)
            await app.drain(drain_seconds)
        finally:
            for task in (ending, *watching):
                task.cancel()
            lifetime.closing.set()
            server.should_exit = True
            await serving


async def _watch_steps(engine: Engine, app: App, seconds: float) -> None:
    """Give the engine up should a step get stuck; its thread cannot say so."""
    await until_stuck(lambda: engine.step_in_flight, seconds)
    error = StuckError(
        f"a step of the model took longer than {seconds:g} s (engine.step_seconds); the engine ends"
    )
    engine.give_up(error)
    app.fail_all(error)


async def _shorten_on_error(status: Status, lifetime: Lifetime) -> None:
    """An engine without a model has nothing to linger for."""
    async with status.watch() as changed:
        while status.health.state != "error":
            await changed.wait()
            changed.clear()
    lifetime.shorten()
