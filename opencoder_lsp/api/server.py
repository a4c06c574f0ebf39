"""The API's process: its socket, its signals, and clients that keep it waiting."""

import asyncio
import contextlib
import errno
import json
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import h11
import uvicorn

from opencoder_lsp.api.app import App
from opencoder_lsp.api.security import Policy
from opencoder_lsp.api.sessions import Sessions
from opencoder_lsp.api.state import State
from opencoder_lsp.client.connection import Status
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.serving import server
from opencoder_lsp.serving.refusals import RefusedError
from opencoder_lsp.settings import Settings

log = logging.getLogger(__name__)

_HEADER_LIMIT = 32 * 1024  # bytes
_KEEP_ALIVE = 75  # seconds that a connection may be idle after an answer
_DRAIN_SECONDS = 5  # for answers that are being made when the server ends
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Protocol(server.Protocol):
    """HTTP that waits only so long for a request's head, and refuses in OpenAI's form."""

    stall_seconds = 30.0
    head_seconds = 10.0
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Take what has come of a request; a head that has begun has to end in time."""
        super().data_received(data)
        waiting = self.conn.their_state is h11.IDLE
        if self._head is not None and not waiting:
            self._head.cancel()
            self._head = None
        elif self._head is None and waiting:
            self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the client has gone."""
        super().connection_lost(exc)
        if self._head is not None:
            self._head.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or more of it than we read."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(RefusedError(431 if hint == 431 else 400, "this is no HTTP request for us"))

    def _give_up(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(RefusedError(408, "the request did not come in time"))
        self.transport.close()

    def _refuse(self, error: RefusedError) -> None:
        body = json.dumps(error.as_json()).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        headers.append(("connection", "close"))
        with contextlib.suppress(h11.LocalProtocolError):  # an answer is on its way already
            head = h11.Response(status_code=error.status, headers=headers)
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address, 0 for any port; raises OpencoderError with the cure."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named so that asyncio knows it for TCP, and sends each event at once.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        cure = ""
        if error.errno == errno.EADDRINUSE:
            cure = "; perhaps `opencoder-lsp serve` runs already; choose another one with --port"
        message = f"cannot listen on {host} port {port}: {error.strerror}{cure}"
        raise OpencoderError(message) from None
    return listener


async def serve(
    listener: socket.socket,
    policy: Policy,
    settings: Settings,
    tell: Callable[[Status], None],
    warn: Callable[[str], None],
    sessions: Sessions,
) -> None:
    """
    Serve until a signal comes; then answers that are being made have some seconds to end.

    `tell` hears how the engine is and `warn` what is odd about it. A second signal ends all.
    """
    state = State(settings, tell, warn)
    app = App(state, replace(policy, port=listener.getsockname()[1]), sessions)
    api = served(app)

    def end() -> None:
        api.force_exit = state.draining
        state.drain()
        api.should_exit = True

    with _signals(end):
        state.connect()
        try:
            await api.serve(sockets=[listener])
        finally:
            await app.turns.close()
            await state.close()


def served(app: App) -> server.Server:
    """Return the server of an application."""
    return server.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            h11_max_incomplete_event_size=_HEADER_LIMIT,
        )
    )


@contextlib.contextmanager
def _signals(end: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
