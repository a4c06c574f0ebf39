"""SQLite files in the data folder, which only their owner can read and which all fronts share."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from opencoder_lsp import paths
from opencoder_lsp.errors import OpencoderError

_BUSY_TIMEOUT = 5.0  # seconds to wait for another front's write


@contextmanager
def transaction(path: Path, schema: str, what: str) -> Iterator[sqlite3.Connection]:
    """
    Open the file (mode 0600; made when first used) for one transaction, with its own connection.

    Any thread may call; it may wait seconds for another front's write, so an event loop should
    leave it to a thread. Raises OpencoderError, naming `what` is in it, where it cannot be used.
    """
    try:
        with closing(_open(path, schema)) as database, database:
            yield database
    except (sqlite3.Error, OSError) as error:
        raise OpencoderError(
            f"cannot use the {what} in {path} ({error}); move the file away to start anew"
        ) from error


def _open(path: Path, schema: str) -> sqlite3.Connection:
    paths.private(path.parent)
    # SQLite gives its journal the mode of the file, so this keeps both private.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(path, timeout=_BUSY_TIMEOUT)
    database.executescript(schema)
    database.execute("PRAGMA foreign_keys = ON")
    # What is deleted is gone from the file, too.
    database.execute("PRAGMA secure_delete = ON")
    return database
