"""An ASGI application served on a Unix socket by the running event loop."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol


class UnixServer(uvicorn.Server):
    """
    uvicorn without its signal handlers, as an async context manager.

    `on_closed` is called after each connection's end. Leaving the context aborts whatever
    connection is still open, as the death of a process would.
    """

    def __init__(
        self, app: ASGIApp, path: Path, on_closed: Callable[[], None] = lambda: None
    ) -> None:
        class Protocol(H11Protocol):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                on_closed()

        config = uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="off", log_config=None, access_log=False
        )
        super().__init__(config)
        self.path = path
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """How many connections the server holds open."""
        return len(self.server_state.connections)

    def abort_connections(self) -> None:
        """Cut every connection, in the middle of whatever it carries."""
        for connection in list(self.server_state.connections):
            transport = connection.transport
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to pytest."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then wake whoever entered the context."""
        await super().startup(sockets)
        self._listening.set()

    def listener(self) -> socket.socket:
        """Return the socket to listen on."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.fspath(self.path))
        return listener

    def forget(self) -> None:
        """Take away what is left of the socket."""
        self.path.unlink(missing_ok=True)

    async def __aenter__(self) -> Self:
        listener = self.listener()
        listener.listen(2048)
        self._task = asyncio.create_task(self.serve(sockets=[listener]))
        await self._listening.wait()
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None
        self.should_exit = self.force_exit = True
        for server in self.servers:
            server.close()
        self.abort_connections()
        await self._task
        while self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks)
        self.forget()
