"""
Conversations in one SQLite file, which only its owner can read.

Every front of a user shares it; each opens it when it first needs it. A turn (a question and its
answer) is written at once when it is over, so two windows may talk in one conversation: each turn
stands behind what the other has said meanwhile, and none is lost or torn apart.
"""

import json
import re
import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from opencoder_lsp import paths
from opencoder_lsp.conversations.entries import Attachment, Conversation, Entry, Summary
from opencoder_lsp.conversations.schema import MIGRATIONS
from opencoder_lsp.database import transaction
from opencoder_lsp.errors import PromptError

_TITLE_LENGTH = 80
_SHORTEST = 4  # characters of an id that may stand for the whole
_HEAD = "SELECT id, title, workspace, created, updated"


class Store:
    """
    The conversations of this user, in `path` (mode 0600; created when first used).

    Each call has a connection of its own, so any thread may call; it may wait seconds for another
    front's write, so an event loop should leave it to a thread.

    Raises OpencoderError where the file cannot be used, and PromptError for an id that is not
    known.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.data() / "conversations.sqlite3"

    def add(
        self,
        turn: Sequence[Entry],
        conversation_id: str | None = None,
        *,
        workspace: str = "",
        replaces: str = "",
        since: str = "",
    ) -> str:
        """
        Append a turn to a conversation, or to a new one of `workspace`, and return its id.

        `replaces` is the id of the last entry that the caller has seen: if it still is the last,
        the turn takes the last turn's place, or that of all from the entry `since` on; else, since
        the conversation has gone on elsewhere, it is appended all the same.
        """
        with self._transaction() as database:
            if conversation_id is None:
                conversation_id = _begin(database, turn[0], workspace)
            else:
                changed = database.execute(
                    "UPDATE conversation SET updated = ? WHERE id = ?",
                    (turn[-1].time, conversation_id),
                )
                _check_found(changed.rowcount)
            if replaces and _last_id(database, conversation_id) == replaces:
                if since:
                    _delete_from(database, conversation_id, since)
                else:
                    _delete_last_turn(database, conversation_id)
            for entry in turn:
                _insert(database, conversation_id, entry)
        return conversation_id

    def conversation(self, conversation_id: str) -> Conversation:
        """Return all of a conversation."""
        with self._transaction() as database:
            head = database.execute(
                f"{_HEAD}, folder, system, temperature FROM conversation WHERE id = ?",
                (conversation_id,),
            ).fetchone()
            rows = database.execute(
                "SELECT role, content, attachments, finish_reason, model, time, id FROM message"
                " WHERE conversation = ? ORDER BY number",
                (conversation_id,),
            ).fetchall()
        _check_found(head is not None)
        entries = tuple(_entry(*row) for row in rows)
        return Conversation(*[*head[:5], entries, *head[5:]])

    def summaries(self, workspaces: Sequence[str] | None = None) -> list[Summary]:
        """List the conversations of some workspaces, or all of them, the newest first."""
        chosen = f"WHERE workspace IN ({', '.join('?' * len(workspaces or ()))})"
        with self._transaction() as database:
            rows = database.execute(
                f"{_HEAD}, (SELECT count(*) FROM message AS m WHERE m.conversation = c.id), folder"
                f" FROM conversation AS c {'' if workspaces is None else chosen}"
                " ORDER BY updated DESC, rowid DESC",
                workspaces or (),
            ).fetchall()
        return [Summary(*row) for row in rows]

    def find(self, start: str) -> str:
        """Return the id that begins with `start`, four characters of it at least."""
        with self._transaction() as database:
            found = database.execute(
                "SELECT id FROM conversation WHERE substr(id, 1, ?) = ?", (len(start), start)
            ).fetchall()
        if len(found) > 1:
            raise PromptError(
                "more than one conversation has an id that begins so; give more of it"
            )
        _check_found(len(found) if len(start) >= _SHORTEST else 0)
        return str(found[0][0])

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title; PromptError for one of blanks only."""
        if not (line := title_of(title)):
            raise PromptError("a conversation needs a title")
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE conversation SET title = ? WHERE id = ?", (line, conversation_id)
            )
            _check_found(changed.rowcount)

    def delete(self, conversation_id: str) -> None:
        """Forget a conversation."""
        with self._transaction() as database:
            deleted = database.execute("DELETE FROM conversation WHERE id = ?", (conversation_id,))
            _check_found(deleted.rowcount)

    def configure(self, conversation_id: str, **changes: str | float | None) -> None:
        """Set some of a conversation's `folder`, `system` and `temperature`."""
        assert changes.keys() <= {"folder", "system", "temperature"}
        columns = ", ".join(f"{name} = :{name}" for name in ("id", *changes))
        with self._transaction() as database:
            changed = database.execute(
                f"UPDATE conversation SET {columns} WHERE id = :id",
                {"id": conversation_id, **changes},
            )
            _check_found(changed.rowcount)

    def forget_turn(self, conversation_id: str, message_id: str) -> None:
        """Delete a question with its answer, either of them being given."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT number, id, role FROM message WHERE conversation = ? ORDER BY number",
                (conversation_id,),
            ).fetchall()
            place = next((n for n, row in enumerate(rows) if row[1] == message_id), None)
            if place is None:
                raise PromptError("no such message; it may have been deleted")
            questions = [n for n, row in enumerate(rows) if row[2] == "user"]
            first = max((n for n in questions if n <= place), default=0)
            end = min((n for n in questions if n > place), default=len(rows))
            database.executemany(
                "DELETE FROM message WHERE number = ?", [row[:1] for row in rows[first:end]]
            )

    def search(self, text: str) -> list[str]:
        """Return the ids of conversations with a text in their title or messages, newest first."""
        pattern = "%" + re.sub(r"([%_\\])", r"\\\1", text) + "%"
        with self._transaction() as database:
            rows = database.execute(
                "SELECT id FROM conversation AS c WHERE title LIKE :pattern ESCAPE '\\'"
                " OR EXISTS (SELECT 1 FROM message AS m WHERE m.conversation = c.id"
                " AND content LIKE :pattern ESCAPE '\\') ORDER BY updated DESC, rowid DESC",
                {"pattern": pattern},
            ).fetchall()
        return [str(row[0]) for row in rows]

    def insert(self, conversation: Conversation) -> bool:
        """Take a conversation from elsewhere in, if there is none of its id yet."""
        heads = ("id", "title", "workspace", "created", "updated", "folder", "system")
        values = [getattr(conversation, name) for name in (*heads, "temperature")]
        with self._transaction() as database:
            added = database.execute(
                f"INSERT INTO conversation ({', '.join(heads)}, temperature)"
                f" VALUES ({', '.join('?' * len(values))}) ON CONFLICT (id) DO NOTHING",
                values,
            )
            if not added.rowcount:
                return False
            for entry in conversation.entries:
                known = database.execute("SELECT 1 FROM message WHERE id = ?", (entry.id,))
                if known.fetchone():  # a message's copy in another conversation
                    entry = replace(entry, id=uuid.uuid4().hex)
                _insert(database, conversation.id, entry)
        return True

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, MIGRATIONS, "conversations")


def title_of(text: str) -> str:
    """Return the first line of a text that has one, cut to what fits in a list."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1] + "…"


def _begin(database: sqlite3.Connection, question: Entry, workspace: str) -> str:
    id, time = uuid.uuid4().hex, question.time
    database.execute(
        "INSERT INTO conversation (id, title, workspace, created, updated) VALUES (?, ?, ?, ?, ?)",
        (id, title_of(question.content), workspace, time, time),
    )
    return id


def _last_id(database: sqlite3.Connection, conversation_id: str) -> str | None:
    row = database.execute(
        "SELECT id FROM message WHERE conversation = ? ORDER BY number DESC LIMIT 1",
        (conversation_id,),
    ).fetchone()
    return row and str(row[0])


def _delete_last_turn(database: sqlite3.Connection, conversation_id: str) -> None:
    database.execute(
        "DELETE FROM message WHERE conversation = :id AND number >= ifnull("
        "(SELECT max(number) FROM message WHERE conversation = :id AND role = 'user'), 0)",
        {"id": conversation_id},
    )


def _delete_from(database: sqlite3.Connection, conversation_id: str, entry_id: str) -> None:
    database.execute(
        "DELETE FROM message WHERE conversation = :id AND number >="
        " (SELECT number FROM message WHERE conversation = :id AND id = :entry)",
        {"id": conversation_id, "entry": entry_id},
    )


def _insert(database: sqlite3.Connection, conversation_id: str, entry: Entry) -> None:
    values = {
        "conversation": conversation_id,
        **{name: getattr(entry, name) for name in ("id", "role", "content", "time", "model")},
        "finish_reason": entry.finish_reason,
        "attachments": json.dumps([asdict(one) for one in entry.attachments]),
    }
    database.execute(
        f"INSERT INTO message ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
        list(values.values()),
    )


def _entry(role: Any, content: str, attachments: str, *rest: Any) -> Entry:
    return Entry(role, content, tuple(Attachment(**one) for one in json.loads(attachments)), *rest)


def _check_found(count: int) -> None:
    if not count:
        raise PromptError("no such conversation; it may have been deleted")
