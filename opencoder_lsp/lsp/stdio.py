"""
Standard input and output, each on a thread of its own.

So a client that does not read its pipe cannot stop us from reading ours, and nothing that runs in
a pool can keep a cancellation from being seen.
"""

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

from opencoder_lsp.lsp.framing import BrokenStream, Frames

log = logging.getLogger(__name__)

_CHUNK = 1 << 16
# Bytes that may wait for a client that does not read; after that it counts as gone.
_UNREAD_LIMIT = 32 << 20
END: Final = object()  # what `Reader` puts last


class Reader:
    """Reads messages from a file descriptor into an asyncio queue, and END after the last."""

    def __init__(self, descriptor: int) -> None:
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to read. The thread is a daemon: a read cannot be interrupted."""
        os.set_blocking(self._descriptor, True)
        threading.Thread(target=self._run, name="lsp-stdin", daemon=True).start()

    def _run(self) -> None:
        frames = Frames()
        try:
            while data := os.read(self._descriptor, _CHUNK):
                for item in frames.feed(data):
                    self._put(item)
        except BrokenStream as error:
            log.error("the client's stream cannot be followed: %s", error)
        except OSError as error:
            log.error("cannot read from the client: %s", error)
        self._put(END)

    def _put(self, item: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(self.items.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody is there to read this any more
            log.debug("a message came after the end")


class Writer:
    """
    Writes bytes to a file descriptor in the order of the calls, without ever blocking the caller.

    `on_failure` is called once, on the loop, when nobody reads at the other end.
    """

    def __init__(self, descriptor: int, on_failure: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._queue = queue.SimpleQueue[bytes | None]()
        self._unread = 0  # bytes in the queue
        self._lock = threading.Lock()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="lsp-stdout", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        os.set_blocking(self._descriptor, True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Queue `data`; it is dropped where the client has gone."""
        with self._lock:
            if self._failed:
                return
            self._unread += len(data)
            too_much = self._unread > _UNREAD_LIMIT
        if too_much:
            self._fail("the client does not read what it asked for")
        else:
            self._queue.put(data)

    def close(self, timeout: float) -> None:
        """Wait, at most `timeout` seconds, until everything is written."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                self._write_all(data)
            except OSError as error:
                self._fail(f"cannot write to the client: {error.strerror}")
                return
            with self._lock:
                self._unread -= len(data)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _fail(self, reason: str) -> None:
        with self._lock:
            if self._failed:
                return
            self._failed = True
        log.error(reason)
        try:
            self._loop.call_soon_threadsafe(self._on_failure)
        except RuntimeError:  # the loop is closed: we are on our way out
            log.debug("the client went after the end")
