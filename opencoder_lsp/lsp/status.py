"""`opencoder/status`: how it is, for clients that ask for it, and never more than once the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opencoder_lsp.lsp.protocol import Phase

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

STATUS = "opencoder/status"


class StatusNotifications:
    """Sends `{kind, busy, message, percent?}` when it has changed."""

    def __init__(self, ls: "Server") -> None:
        self._ls = ls
        self._working = 0  # chats under way
        self._sent: dict[str, Any] = {}

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Say that the engine works for us while the block runs."""
        self._working += 1
        self.send()
        try:
            yield
        finally:
            self._working -= 1
            self.send()

    def send(self) -> None:
        """Say how it is, if the client wants to know and does not."""
        if not self._ls.configuration.status_notifications:
            return
        if self._ls.protocol.phase is not Phase.OPEN:
            return
        status, busy = self._ls.connection.status, self._working > 0
        kind = "busy" if busy and status.kind == "ready" else status.kind
        said: dict[str, Any] = {"kind": kind, "busy": busy, "message": status.message}
        if status.percent is not None:
            said["percent"] = status.percent
        if said != self._sent:
            self._sent = said
            self._ls.protocol.notify(STATUS, said)
