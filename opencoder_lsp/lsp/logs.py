"""
The server's log, written to standard error by a thread of its own.

An editor that does not read standard error lets its pipe fill up, and then a line of the log must
not stop the server: lines for which there is no room are dropped. A line that repeats is written
once in a while with the number of times, since what an editor does wrong it does with each key.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from opencoder_lsp.errors import describe

log = logging.getLogger(__name__)

PERIOD = 10.0  # seconds in which a line is written once
_WAITING = 1000  # lines
_REMEMBERED = 100  # different lines
_LAST_WORDS = 0.5  # seconds to write what waits at the end


class BackgroundHandler(logging.Handler):
    """Passes records on to other handlers on a thread of its own, without ever waiting for it."""

    def __init__(self, handlers: Sequence[logging.Handler], period: float = PERIOD) -> None:
        super().__init__()
        self._handlers = handlers
        self._period = period
        self._records: queue.Queue[logging.LogRecord | None] = queue.Queue(_WAITING)
        self._written: dict[str, tuple[float, int]] = {}  # when, and how often since
        self._thread = threading.Thread(target=self._run, name="lsp-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, unless it only says again what was said."""
        message, now = record.getMessage(), time.monotonic()
        when, more = self._written.get(message, (float("-inf"), 0))
        if now - when < self._period:
            self._written[message] = (when, more + 1)
            return
        if len(self._written) >= _REMEMBERED:
            self._written.clear()
        self._written[message] = (now, 0)
        record.msg, record.args = message + (f" ({more} times more)" if more else ""), None
        with contextlib.suppress(queue.Full):
            self._records.put_nowait(record)

    def stop(self, timeout: float) -> None:
        """Wait, at most `timeout` seconds, until everything is written."""
        with contextlib.suppress(queue.Full):
            self._records.put(None, timeout=timeout)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (record := self._records.get()) is not None:
            for handler in self._handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)


@contextlib.contextmanager
def logging_in_background() -> Iterator[None]:
    """Let the handlers of all logs write in the background while the block runs."""
    root = logging.getLogger()
    before = root.handlers[:]
    unset = [logging.lastResort] if logging.lastResort else []
    background = BackgroundHandler(before or unset)
    root.handlers[:] = [background]
    try:
        yield
    finally:
        root.handlers[:] = before
        background.stop(_LAST_WORDS)


def log_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio found nobody to tell; its own words may quote what a callback was given."""
    error = context.get("exception")
    what = describe(error) if isinstance(error, BaseException) else context.get("message")
    log.error("unforeseen: %s", what)
