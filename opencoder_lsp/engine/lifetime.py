"""
How long the process lives: the lock it holds, the leases that keep it, the drain at its end.

The lock is a `flock` on a file beside the socket, taken first and held until the process is gone,
however it goes; so whoever holds it may remove a stale socket, and nobody else.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opencoder_lsp import paths
from opencoder_lsp.errors import OpencoderError

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
# Seconds in which whoever started the engine has to come for it, whatever `engine.linger` says.
FIRST_SECONDS = 60.0
_ERROR_SECONDS = 5.0  # an engine without a model is only there to say why


class AlreadyRunningError(OpencoderError):
    """Another engine holds the lock of this socket."""


class UnwritableError(OpencoderError):
    """The lock of this socket cannot be written, as on a full disk."""


@contextlib.contextmanager
def lock(path: Path, info: dict[str, Any]) -> Iterator[None]:
    """
    Hold the lock of the socket `path` and write `info` into it, as JSON for those who come later.

    Raises AlreadyRunningError at once where another process holds it, and UnwritableError. The file
    stays behind: removing it would let two processes hold two files of one name.
    """
    file = paths.lock_path(path)
    with _writing(file):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"another engine runs on {path}") from None
        with _writing(file):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(info).encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"cannot write {file}: {error.strerror}") from error


def private_folder(folder: Path) -> None:
    """
    See to it that only this user can get at the socket's folder; raises OpencoderError if not.

    Our own runtime folder is created and tightened; a folder of the user's choice is only looked
    at, since it may not be ours to change.
    """
    if folder == paths.runtime() or not folder.exists():
        paths.private(folder)
    status = folder.stat()
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise OpencoderError(
            f"{folder} can be entered by other users; choose another, or run: chmod 700 {folder}"
        )


@contextlib.contextmanager
def bound_socket(path: Path) -> Iterator[socket.socket]:
    """
    Bind a Unix socket of mode 0600, in place of a stale one; remove it at the end.

    For the holder of the lock alone.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
            listener.listen()  # from here on clients are kept waiting rather than refused
        except OSError as error:
            raise OpencoderError(f"cannot bind {path}: {error.strerror or error}") from error
        finally:
            os.umask(before)
        try:
            yield listener
        finally:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


class Lifetime:
    """Counts what keeps the engine alive; for the event loop only."""

    def __init__(self, linger: float, first: float = FIRST_SECONDS) -> None:
        """
        `linger` is in seconds, counted from the end of the last lease or request; before the
        first one it is `first`, if that is longer.
        """
        self._linger = linger
        self._patience = max(linger, first)
        self._leases = 0
        self._requests = 0
        self._changed = asyncio.Event()
        self._drain = asyncio.Event()
        self._hurry = asyncio.Event()
        self.closing = asyncio.Event()  # set when endless answers have to end

    @contextlib.contextmanager
    def lease(self) -> Iterator[None]:
        """Keep the engine alive in this block, because a front may want it soon."""
        self._leases += 1
        self._patience = self._linger
        self._changed.set()
        try:
            yield
        finally:
            self._leases -= 1
            self._changed.set()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Keep the engine alive in this block, even while it drains."""
        self._requests += 1
        self._patience = self._linger
        self._changed.set()
        try:
            yield
        finally:
            self._requests -= 1
            self._changed.set()

    def drain(self) -> None:
        """Begin to end; called again, do not wait for anybody."""
        if self._drain.is_set():
            self._hurry.set()
        self._drain.set()

    def shorten(self) -> None:
        """Linger no longer than it takes to read why there is no model."""
        self._linger = min(self._linger, _ERROR_SECONDS)
        self._patience = min(self._patience, _ERROR_SECONDS)
        self._changed.set()

    async def until_end(self) -> None:
        """Return when the engine is to end: told to, or unused for as long as it lingers."""
        while not self._drain.is_set():
            self._changed.clear()
            in_use = bool(self._leases or self._requests)
            if not await wait_any(
                self._changed, self._drain, seconds=None if in_use else self._patience
            ):
                return

    async def until_free(self, seconds: float) -> None:
        """Return when no request is at work, or time is up, or somebody is in a hurry."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._requests and not self._hurry.is_set():
                    self._changed.clear()
                    await wait_any(self._changed, self._hurry)


async def wait_any(*events: asyncio.Event, seconds: float | None = None) -> bool:
    """Wait until one of the events is set; False when none was within that many seconds."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()
