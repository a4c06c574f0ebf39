"""The store of conversations."""

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opencoder_lsp.conversations.store import Store, Turn
from opencoder_lsp.errors import OpencoderError, PromptError

QUESTION = Turn("user", "What is\na slot?")
ANSWER = Turn("assistant", "A place in memory.")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data" / "conversations.sqlite3")


def test_a_conversation_goes_on_where_it_was_left(store: Store) -> None:
    first = store.add([QUESTION, ANSWER])
    more = [Turn("user", "Why?"), Turn("assistant", "So.")]
    assert store.add(more, first) == first
    assert Store(store.path).turns(first) == [QUESTION, ANSWER, *more]


def test_conversations_are_listed_newest_first_with_the_first_line_as_title(store: Store) -> None:
    old, new = store.add([QUESTION, ANSWER]), store.add([Turn("user", "x" * 200), ANSWER])
    summaries = store.summaries()
    assert [summary.id for summary in summaries] == [new, old]
    assert summaries[1].title == "What is"
    assert len(summaries[0].title) == 80
    assert summaries[0].messages == 2


def test_a_deleted_conversation_is_gone_from_the_file(store: Store) -> None:
    secret = "a sentence that nobody should find"
    conversation = store.add([Turn("user", secret), ANSWER])
    assert secret.encode() in store.path.read_bytes()
    store.delete(conversation)
    assert store.summaries() == []
    assert secret.encode() not in store.path.read_bytes()


def test_an_unknown_conversation_is_an_error(store: Store) -> None:
    for call in (store.turns, store.delete):
        with pytest.raises(PromptError, match="no such conversation"):
            call("nope")
    with pytest.raises(PromptError, match="no such conversation"):
        store.add([QUESTION], "nope")
    assert store.summaries() == []


def test_only_the_owner_can_read_the_file(store: Store) -> None:
    store.add([QUESTION, ANSWER])
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_text_of_any_kind_comes_back_as_it_was(store: Store) -> None:
    content = "é 😀 \x00 \u2028 <|end_of_turn|> '; DROP TABLE message; --"
    assert store.turns(store.add([Turn("user", content)])) == [Turn("user", content)]


def test_a_damaged_file_is_named(store: Store) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.write_bytes(b"this is no database, but long enough to look at" * 50)
    with pytest.raises(OpencoderError, match=store.path.name) as error:
        store.summaries()
    assert isinstance(error.value.__cause__, sqlite3.DatabaseError)


def test_any_thread_may_use_it(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        conversations = list(pool.map(store.add, [[QUESTION, ANSWER]] * 16))
        turns = list(pool.map(store.turns, conversations))
    assert turns == [[QUESTION, ANSWER]] * 16
    assert len(store.summaries()) == 16
