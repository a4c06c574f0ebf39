"""The store under several processes, a killed writer and a full disk."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opencoder_lsp import database
from opencoder_lsp.conversations.entries import Entry
from opencoder_lsp.conversations.schema import MIGRATIONS
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError

SETUP = """
import sys
from pathlib import Path
from opencoder_lsp.conversations.entries import Entry
from opencoder_lsp.conversations.schema import MIGRATIONS
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.database import transaction
from opencoder_lsp.errors import OpencoderError
store, conversation, *more = Store(Path(sys.argv[1])), *sys.argv[2:]
"""
# Two windows in one conversation: one says something, the other replaces what it has seen last.
TALKING = """
name, replaces = more
for number in range(20):
    seen = store.conversation(conversation).last_id if replaces == "yes" else ""
    turn = [Entry("user", f"{name} {number}"), Entry("assistant", f"to {name} {number}")]
    store.add(turn, conversation, replaces=seen)
"""
# So many pages that SQLite writes some into the file before the end of the transaction.
WRITING = """
with transaction(store.path, MIGRATIONS, "conversations") as database:
    database.execute("PRAGMA cache_size = 2")
    database.execute("DELETE FROM message")
    for number in range(2000):
        database.execute(
            "INSERT INTO message (id, conversation, role, content) VALUES (?, ?, 'user', ?)",
            (str(number), conversation, "x" * 1000),
        )
    print("in the middle", flush=True)
    sys.stdin.read()
"""
# Nothing may grow beyond what the file has now.
FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = store.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
try:
    store.add([Entry("user", "x" * 1_000_000)], conversation)
except OpencoderError as error:
    print(error)
print(len(store.conversation(conversation).entries))
"""
# Writes at once or not at all.
INTRUDING = """
import sqlite3
with sqlite3.connect(store.path, timeout=0) as database:
    database.execute("DELETE FROM message")
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "conversations.sqlite3")


def window(code: str, store: Store, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SETUP + code, str(store.path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_windows_in_one_conversation_lose_no_turn_and_tear_none_apart(store: Store) -> None:
    conversation = store.add([Entry("user", "Hello"), Entry("assistant", "Hi")])
    names = ["one", "two", "three"]
    windows = [window(TALKING, store, conversation, name, "no") for name in names]
    assert [process.wait() for process in windows] == [0] * 3
    entries = store.conversation(conversation).entries
    said = [entry.content for entry in entries]
    turns = list(zip(said[2::2], said[3::2], strict=True))
    assert sorted(turns) == sorted((f"{n} {i}", f"to {n} {i}") for n in names for i in range(20))
    for name in names:
        own = [question for question, _ in turns if question.split()[0] == name]
        assert own == [f"{name} {number}" for number in range(20)]
    for process in windows:
        process.communicate()


def test_a_window_that_replaces_takes_nothing_from_one_that_talks(store: Store) -> None:
    conversation = store.add([Entry("user", "Hello"), Entry("assistant", "Hi")])
    windows = [
        window(TALKING, store, conversation, "talks", "no"),
        window(TALKING, store, conversation, "replaces", "yes"),
    ]
    for process in windows:
        process.communicate()
        assert process.returncode == 0
    said = [entry.content for entry in store.conversation(conversation).entries]
    # It replaces a turn of the other only where it has seen it, and whole turns at that.
    turns = dict(zip(said[::2], said[1::2], strict=True))
    assert turns.pop("Hello", "Hi") == "Hi"
    assert all(answer == f"to {question}" for question, answer in turns.items())
    assert "replaces 19" in turns


def test_a_killed_writer_leaves_what_was_there_before(store: Store) -> None:
    turn = (Entry("user", "Hello"), Entry("assistant", "Hi"))
    conversation = store.add(turn)
    process = window(WRITING, store, conversation)
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    journal = store.path.with_name(store.path.name + "-journal")
    assert journal.stat().st_size > 0
    assert journal.stat().st_mode & 0o777 == 0o600
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert store.conversation(conversation).entries == turn
    assert store.add([Entry("user", "And now?")], conversation) == conversation
    assert not journal.exists()


def test_a_full_disk_is_an_error_that_takes_nothing_away(store: Store) -> None:
    turn = (Entry("user", "Hello"), Entry("assistant", "Hi"))
    conversation = store.add(turn)
    process = window(FULL, store, conversation)
    output, _ = process.communicate()
    assert process.returncode == 0
    said, count = output.splitlines()
    assert "cannot use the conversations" in said
    assert count == "2"
    assert store.conversation(conversation).entries == turn
    store.add([Entry("user", "And now?")], conversation)
    assert len(store.conversation(conversation).entries) == 3


def test_a_thread_that_comes_in_takes_no_lock_from_one_that_writes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = store.add([Entry("user", "Hello"), Entry("assistant", "Hi")])
    monkeypatch.setattr(database, "_BUSY_TIMEOUT", 0.0)
    with database.transaction(store.path, MIGRATIONS, "conversations"):
        with ThreadPoolExecutor() as threads, pytest.raises(OpencoderError, match="locked"):
            threads.submit(store.conversation, conversation).result()
        process = window(INTRUDING, store, conversation)
        process.communicate()
        assert process.returncode == 1
    assert len(store.conversation(conversation).entries) == 2
