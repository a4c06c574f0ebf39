"""
SQLite files in the data folder, which only their owner can read and which all fronts share.

Each has a list of migrations, the n-th of which makes version n of the file (`user_version`) from
the one before. The journal is SQLite's usual one, not WAL: a killed writer is undone by whoever
comes next, deleted text is left in no other file, and it works on network file systems.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from opencoder_lsp import paths
from opencoder_lsp.errors import OpencoderError

_BUSY_TIMEOUT = 5.0  # seconds to wait for another front's write
Migrations = Sequence[Sequence[str]]  # of statements


@contextmanager
def transaction(path: Path, migrations: Migrations, what: str) -> Iterator[sqlite3.Connection]:
    """
    Open the file (mode 0600; made when first used) for one transaction, with its own connection.

    An older file is migrated in the same transaction. Any thread may call; it may wait seconds for
    another front's write, so an event loop should leave it to a thread. Raises OpencoderError,
    naming `what` is in it, where it cannot be used, and where a newer version has written it.
    """
    try:
        with closing(_open(path)) as database, database:
            # At once for writing: what is read here must still be so when it is written.
            database.execute("BEGIN IMMEDIATE")
            _migrate(database, migrations, f"the {what} in {path}")
            yield database
    except (sqlite3.Error, OSError) as error:
        raise OpencoderError(
            f"cannot use the {what} in {path} ({error}); move the file away to start anew"
        ) from error


def _open(path: Path) -> sqlite3.Connection:
    paths.private(path.parent)
    # SQLite gives its journal the mode of the file, so this keeps both private. Only a new file is
    # opened: closing it would take the locks of this process's other threads off it, fcntl(2).
    with suppress(FileExistsError):
        os.close(os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    # Transactions begin and end where it is said, not where Python thinks.
    database = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None)
    database.execute("PRAGMA foreign_keys = ON")
    # What is deleted is gone from the file, too.
    database.execute("PRAGMA secure_delete = ON")
    return database


def _migrate(database: sqlite3.Connection, migrations: Migrations, which: str) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise OpencoderError(
            f"a newer version of opencoder-lsp has written {which}; update this one"
        )
    if version == len(migrations):
        return
    for migration in migrations[version:]:
        for statement in migration:
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {len(migrations)}")
