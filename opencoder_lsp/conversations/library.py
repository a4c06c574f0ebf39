"""
What the chat page keeps beside conversations: folders, and prompts to use again.

They are in the file of the conversations, whose folders these are.
"""

import sqlite3
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from opencoder_lsp import paths
from opencoder_lsp.conversations.schema import MIGRATIONS
from opencoder_lsp.database import transaction
from opencoder_lsp.errors import PromptError

Kind = Literal["chat", "prompt"]


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of conversations or of prompts."""

    name: str
    kind: Kind = "chat"
    id: str = field(default_factory=_new_id)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text with `{{variables}}`, which are asked for when it is used."""

    name: str
    content: str
    description: str = ""
    folder: str = ""
    id: str = field(default_factory=_new_id)


class Library:
    """The folders and prompts of this user; calls and errors are as those of `Store`."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.data() / "conversations.sqlite3"

    def folders(self) -> list[Folder]:
        """List the folders, in the order of their names."""
        with self._transaction() as database:
            rows = database.execute("SELECT name, kind, id FROM folder ORDER BY lower(name), id")
            return [Folder(*row) for row in rows.fetchall()]

    def prompts(self) -> list[Prompt]:
        """List the prompts, in the order of their names."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT name, content, description, folder, id FROM prompt ORDER BY lower(name), id"
            )
            return [Prompt(*row) for row in rows.fetchall()]

    def keep_folder(self, folder: Folder) -> None:
        """Add a folder, or rename the one of its id."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO folder (id, name, kind) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
                (folder.id, folder.name, folder.kind),
            )

    def delete_folder(self, folder_id: str) -> None:
        """Delete a folder; what was in it is in none then."""
        with self._transaction() as database:
            deleted = database.execute("DELETE FROM folder WHERE id = ?", (folder_id,))
            _check_found(deleted.rowcount, "folder")
            for table in ("conversation", "prompt"):
                database.execute(f"UPDATE {table} SET folder = '' WHERE folder = ?", (folder_id,))

    def keep_prompt(self, prompt: Prompt) -> None:
        """Add a prompt, or change the one of its id."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO prompt (id, name, description, content, folder)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
                " description = excluded.description, content = excluded.content,"
                " folder = excluded.folder",
                (prompt.id, prompt.name, prompt.description, prompt.content, prompt.folder),
            )

    def delete_prompt(self, prompt_id: str) -> None:
        """Delete a prompt."""
        with self._transaction() as database:
            deleted = database.execute("DELETE FROM prompt WHERE id = ?", (prompt_id,))
            _check_found(deleted.rowcount, "prompt")

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, MIGRATIONS, "conversations")


def _check_found(count: int, what: str) -> None:
    if not count:
        raise PromptError(f"no such {what}; it may have been deleted")
