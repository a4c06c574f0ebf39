"""Files of older and newer versions."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from opencoder_lsp import database as module
from opencoder_lsp.conversations.entries import Entry
from opencoder_lsp.conversations.schema import MIGRATIONS
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError

# What the first versions wrote, which did not number their files.
FIRST = """
CREATE TABLE conversation (id TEXT PRIMARY KEY, title TEXT NOT NULL, updated REAL NOT NULL);
CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX message_of ON message (conversation, number);
INSERT INTO conversation VALUES ('one', 'What is', 100.5), ('two', 'Why?', 200.5);
INSERT INTO message (conversation, role, content) VALUES
    ('one', 'user', 'What is a slot?'), ('two', 'user', 'Why?'), ('one', 'assistant', 'A place.');
"""


@pytest.fixture
def old(tmp_path: Path) -> Store:
    """A store whose file the first version wrote."""
    store = Store(tmp_path / "conversations.sqlite3")
    with closing(sqlite3.connect(store.path)) as database:
        database.executescript(FIRST)
    return store


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def test_conversations_of_the_first_version_are_taken_over(old: Store) -> None:
    one = old.conversation("one")
    assert [(e.role, e.content, e.time) for e in one.entries] == [
        ("user", "What is a slot?", 100.5),
        ("assistant", "A place.", 100.5),
    ]
    assert len({e.id for c in ("one", "two") for e in old.conversation(c).entries}) == 3
    assert (one.workspace, one.created, one.updated) == ("", 100.5, 100.5)
    assert version(old.path) == len(MIGRATIONS)
    more = Entry("user", "More?")
    old.add([more], "one", replaces=one.last_id)
    assert old.conversation("one").entries == (more,)


def test_a_file_of_each_version_becomes_what_a_new_one_is(tmp_path: Path) -> None:
    def schema(path: Path) -> list[str]:
        with closing(sqlite3.connect(path)) as database:
            rows = database.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        return [" ".join(str(sql).split()) for (sql,) in rows]

    new = Store(tmp_path / "new.sqlite3")
    new.summaries()
    for count in range(len(MIGRATIONS) + 1):
        store = Store(tmp_path / f"{count}.sqlite3")
        with module.transaction(store.path, MIGRATIONS[:count], "conversations"):
            pass
        assert version(store.path) == count
        store.summaries()
        assert schema(store.path) == schema(new.path)


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    old: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old.path.read_bytes()
    broken = (*MIGRATIONS, ("DELETE FROM message", "DELETE FROM no_such_table"))
    monkeypatch.setattr("opencoder_lsp.conversations.store.MIGRATIONS", broken)
    with pytest.raises(OpencoderError, match="no_such_table"):
        old.summaries()
    monkeypatch.undo()
    assert old.path.read_bytes() == before
    assert len(old.summaries()) == 2


def test_windows_that_migrate_at_once_migrate_once(old: Store) -> None:
    start, found = threading.Barrier(4), list[int]()

    def look() -> None:
        start.wait()
        found.append(len(old.summaries()))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 4


def test_a_newer_file_is_left_alone_and_says_what_to_do(old: Store) -> None:
    with closing(sqlite3.connect(old.path)) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before, seen = old.path.read_bytes(), old.path.stat()
    for call in (old.summaries, lambda: old.delete("one"), lambda: old.add([Entry("user", "x")])):
        with pytest.raises(OpencoderError, match=r"newer version .* update this one"):
            call()
    assert old.path.read_bytes() == before
    assert old.path.stat().st_mtime_ns == seen.st_mtime_ns
