"""
Conversations in one SQLite file, which only its owner can read.

Every front of a user shares it; each opens it when it first needs it.
"""

import sqlite3
import time
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opencoder_lsp import paths
from opencoder_lsp.database import transaction
from opencoder_lsp.errors import PromptError

Role = Literal["user", "assistant"]

_TITLE_LENGTH = 80
_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversation (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    updated REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_of ON message (conversation, number);
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message that was said."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in the list; `updated` is in seconds since the epoch."""

    id: str
    title: str
    updated: float
    messages: int


class Store:
    """
    The conversations of this user, in `path` (mode 0600; created when first used).

    Each call has a connection of its own, so any thread may call; it may wait seconds for another
    front's write, so an event loop should leave it to a thread.

    Raises OpencoderError where the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.data() / "conversations.sqlite3"

    def add(self, turns: Sequence[Turn], conversation_id: str | None = None) -> str:
        """
        Append turns to a conversation, or to a new one, and return its id.

        Raises PromptError for an id that is not known.
        """
        with self._transaction() as database:
            if conversation_id is None:
                conversation_id = uuid.uuid4().hex
                title = _title(turns[0].content)
                new = (conversation_id, title, time.time())
                database.execute("INSERT INTO conversation VALUES (?, ?, ?)", new)
            else:
                changed = database.execute(
                    "UPDATE conversation SET updated = ? WHERE id = ?",
                    (time.time(), conversation_id),
                )
                _check_found(changed.rowcount)
            database.executemany(
                "INSERT INTO message (conversation, role, content) VALUES (?, ?, ?)",
                [(conversation_id, turn.role, turn.content) for turn in turns],
            )
        return conversation_id

    def turns(self, conversation_id: str) -> list[Turn]:
        """Return what was said, oldest first; PromptError for an id that is not known."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT role, content FROM message WHERE conversation = ? ORDER BY number",
                (conversation_id,),
            ).fetchall()
        _check_found(len(rows))
        return [Turn(role, content) for role, content in rows]

    def summaries(self) -> list[Summary]:
        """List all conversations, the newest first."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT id, title, updated, (SELECT count(*) FROM message WHERE conversation = id)"
                " FROM conversation ORDER BY updated DESC, rowid DESC"
            ).fetchall()
        return [Summary(*row) for row in rows]

    def delete(self, conversation_id: str) -> None:
        """Forget a conversation; PromptError for an id that is not known."""
        with self._transaction() as database:
            deleted = database.execute("DELETE FROM conversation WHERE id = ?", (conversation_id,))
            _check_found(deleted.rowcount)

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, _SCHEMA, "conversations")


def _title(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1] + "…"


def _check_found(count: int) -> None:
    if not count:
        raise PromptError("no such conversation; it may have been deleted")
