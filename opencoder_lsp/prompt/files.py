"""Reading other people's files without coming to harm."""

import os
import stat
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file is written or replaced."""

    device: int
    inode: int
    size: int
    mtime_ns: int


def resolved(path: str) -> str:
    """Return a path without links; one that no file can have (URIs can say those) as it is."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


def stamp_of(path: str) -> Stamp | None:
    """Return the stamp of a regular file; None for anything else, and where nothing is."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # the latter for a path with a NUL
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def read_text(path: str, largest: int) -> str | None:
    """
    Return the text of a regular file of at most `largest` bytes.

    None for whatever else is there or not, for what cannot be read, and for what is no UTF-8 text.
    A pipe or a device does not keep the caller waiting.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError):
        return None
    try:
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            data = file.read(largest + 1)
    except OSError:
        return None
    if len(data) > largest or b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
