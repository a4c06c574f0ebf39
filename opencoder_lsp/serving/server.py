"""uvicorn as we need it: our own sockets and signals, and no client that keeps us waiting."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """A server that leaves signals to us: they begin a drain."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch none."""
        yield


class Protocol(H11Protocol):
    """HTTP that hangs up on clients which do not read: they have left, as far as we can tell."""

    stall_seconds = 60.0  # for a client to read on, when its answer fills all buffers
    _stalled: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.stall_seconds, self._hang_up)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._unset_stalled()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the client has gone."""
        super().connection_lost(exc)
        self._unset_stalled()

    def _unset_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _hang_up(self) -> None:
        log.warning("closed a connection: its client has not read for %g s", self.stall_seconds)
        self.transport.abort()
