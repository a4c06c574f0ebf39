"""
Standard input and output, each on a thread of its own.

So a client that does not read its pipe cannot stop us from reading ours, and nothing that runs in
a pool can keep a cancellation from being seen. Both are bounded: what cannot be handled yet stays
in the client's pipe, and a client that does not read for too long counts as gone.
"""

import asyncio
import logging
import os
import queue
import select
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from opencoder_lsp.errors import describe
from opencoder_lsp.lsp.framing import BrokenStream, Frames

log = logging.getLogger(__name__)

CHUNK = 1 << 16  # bytes of one read
# Bytes of messages that may wait for the event loop before no more are read.
_UNHANDLED_LIMIT = 16 << 20
# Bytes that may wait for a client that does not read; after that it counts as gone.
_UNREAD_LIMIT = 16 << 20


class Reader:
    """
    Reads messages from a file descriptor: `async for item in reader` gives them until the end.

    `unhandled` is how many bytes the messages have that were read and not yet taken: at most
    `limit`, or a single message, and one chunk.
    """

    def __init__(self, descriptor: int, limit: int = _UNHANDLED_LIMIT) -> None:
        self.unhandled = 0
        self._descriptor = descriptor
        self._limit = limit
        self._taken = threading.Condition()
        self._loop = asyncio.get_running_loop()
        # The messages of some bytes, and how many bytes; at the end None.
        self._batches: asyncio.Queue[tuple[list[Any], int] | None] = asyncio.Queue()

    def start(self) -> None:
        """Begin to read. The thread is a daemon: a read cannot be interrupted."""
        os.set_blocking(self._descriptor, True)
        threading.Thread(target=self._run, name="lsp-stdin", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Iterate over JSON values and reports of what was none (`framing.Malformed`)."""
        while (batch := await self._batches.get()) is not None:
            items, size = batch
            for item in items:
                yield item
            with self._taken:
                self.unhandled -= size
                self._taken.notify()

    def _run(self) -> None:
        frames, size = Frames(), 0
        try:
            while data := os.read(self._descriptor, CHUNK):
                size += len(data)
                if self._hand_over(frames.feed(data), size):
                    size = 0
        except BrokenStream as error:
            log.error("the client's stream cannot be followed: %s", error)
        except OSError as error:
            log.error("cannot read from the client: %s", error)
        except Exception as error:  # boundary: else the server would be deaf for ever
            log.critical("reading from the client failed: %s", describe(error))
        self._put(None)

    def _hand_over(self, items: Iterator[Any], size: int) -> bool:
        """Put the messages of so many bytes into the queue once there is room, if there are any."""
        batch = list[Any]()
        try:
            for item in items:
                batch.append(item)
        finally:
            if batch:
                with self._taken:
                    self._taken.wait_for(lambda: self.unhandled <= self._limit)
                    self.unhandled += size
                self._put((batch, size))
        return bool(batch)

    def _put(self, batch: tuple[list[Any], int] | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._batches.put_nowait, batch)
        except RuntimeError:  # the loop is closed: nobody is there to read this any more
            log.debug("a message came after the end")


class Writer:
    """
    Writes bytes to a file descriptor in the order of the calls, without ever blocking the caller.

    `on_failure` is called once, on the loop, when nobody reads at the other end: at once when that
    is closed, even if there is nothing to write.
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
        mode = os.fstat(self._descriptor).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            # The writing end of a pipe counts as readable when its reading end is closed.
            self._loop.add_reader(self._descriptor, self._readable)

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
        self._loop.remove_reader(self._descriptor)
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

    def _readable(self) -> None:
        """Fail where nobody can read any more; else it is a socket with something to read."""
        self._loop.remove_reader(self._descriptor)
        poll = select.poll()
        poll.register(self._descriptor, 0)  # errors and hang-ups are told unasked
        if poll.poll(0):
            self._fail("the client has closed the pipe that it should read")

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
