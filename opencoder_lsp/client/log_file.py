"""
The engine's log file: mode 0600, kept short, without any text of the user's.

The engine writes to it for as long as it lives, and it may live for weeks. So a front that comes
to it empties a log that has become long, which is sound since it is open for appending: whoever
writes goes on at the new end.
"""

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from opencoder_lsp import paths

log = logging.getLogger(__name__)

LIMIT = 1 << 20  # bytes of a log that is not yet put aside
LINE_LIMIT = 300  # characters of one line of the log in a message
_END = 4096  # bytes in which the last line is looked for


def log_path(socket: Path) -> Path:
    """Return the log file of the engine of this socket."""
    return paths.logs() / f"{socket.stem}.log"


def older(path: Path) -> Path:
    """Return where a log is put aside."""
    return path.with_name(path.name + ".1")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a log for appending, mode 0600; where the disk does not let us, do without."""
    try:
        paths.private(path.parent)
        trim(path)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        log.warning("the engine runs without a log: cannot write %s (%s)", path, error.strerror)
        file = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def trim(path: Path) -> None:
    """Put what a long log holds aside and empty it; what cannot be done stays as it is."""
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_size <= LIMIT:
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(older(path), flags, 0o600), "wb") as aside:
                shutil.copyfileobj(file, aside)
            file.truncate(0)
    except (FileNotFoundError, BlockingIOError):  # no log yet, or another front is at it
        return
    except OSError as error:
        log.warning("cannot put %s aside: %s", path, error.strerror)


def last_line(path: Path, start: int = 0) -> str:
    """Return the last line behind the byte `start`, shortened; "" if there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start if start <= size else 0, size - _END))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:LINE_LIMIT] if said else ""
