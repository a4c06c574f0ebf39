"""The store of conversations."""

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opencoder_lsp.conversations.entries import Attachment, Entry
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError, PromptError

QUESTION = Entry("user", "What is\na slot?")
ANSWER = Entry("assistant", "A place in memory.", finish_reason="stop", model="demo")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data" / "conversations.sqlite3")


def turn(question: str, answer: str = "So.") -> list[Entry]:
    return [Entry("user", question), Entry("assistant", answer, finish_reason="stop")]


def texts(store: Store, conversation: str) -> list[str]:
    return [entry.content for entry in store.conversation(conversation).entries]


def test_a_conversation_goes_on_where_it_was_left(store: Store) -> None:
    first = store.add([QUESTION, ANSWER], workspace="/work")
    more = turn("Why?")
    assert store.add(more, first) == first
    kept = Store(store.path).conversation(first)
    assert kept.entries == (QUESTION, ANSWER, *more)
    assert (kept.workspace, kept.created, kept.updated) == ("/work", QUESTION.time, more[1].time)


def test_what_was_attached_is_kept_with_its_text(store: Store) -> None:
    parts = (Attachment("a.py", "python", "x = 'é'\n", 3, 4), Attachment("b.c", "c", ""))
    question = Entry("user", "What is this?", parts)
    conversation = store.add([question])
    assert store.conversation(conversation).entries == (question,)


def test_conversations_are_listed_newest_first_with_the_first_line_as_title(store: Store) -> None:
    old, new = store.add(turn("What is\na slot?")), store.add(turn("x" * 200))
    summaries = store.summaries()
    assert [summary.id for summary in summaries] == [new, old]
    assert summaries[1].title == "What is"
    assert len(summaries[0].title) == 80
    assert summaries[0].messages == 2
    store.add(turn("again"), old)
    assert [summary.id for summary in store.summaries()] == [old, new]


def test_a_workspace_lists_its_own_conversations(store: Store) -> None:
    one, other = (store.add(turn("x"), workspace=folder) for folder in ("/one", "/other"))
    nowhere = store.add(turn("x"))
    assert [summary.id for summary in store.summaries(["/one"])] == [one]
    assert [summary.id for summary in store.summaries(["/one", "/other"])] == [other, one]
    assert [summary.id for summary in store.summaries([""])] == [nowhere]
    assert store.summaries([]) == []
    assert len(store.summaries()) == 3


def test_the_last_turn_is_replaced_where_it_is_still_the_last(store: Store) -> None:
    conversation = store.add(turn("one"))
    seen = turn("two", "first try")
    store.add(seen, conversation)
    store.add(turn("two", "second try"), conversation, replaces=seen[1].id)
    assert texts(store, conversation) == ["one", "So.", "two", "second try"]


def test_a_question_without_an_answer_is_replaced_with_its_answer(store: Store) -> None:
    conversation = store.add([QUESTION])
    store.add(turn("again"), conversation, replaces=QUESTION.id)
    assert texts(store, conversation) == ["again", "So."]


def test_nothing_is_replaced_in_a_conversation_that_went_on_elsewhere(store: Store) -> None:
    seen = turn("one", "first try")
    conversation = store.add(seen)
    store.add(turn("of the other window"), conversation)
    store.add(turn("one", "second try"), conversation, replaces=seen[1].id)
    said = ["one", "first try", "of the other window", "So.", "one", "second try"]
    assert texts(store, conversation) == said


def test_a_deleted_conversation_is_gone_from_the_file(store: Store) -> None:
    secret = "a sentence that nobody should find"
    conversation = store.add([Entry("user", secret), ANSWER])
    assert secret.encode() in store.path.read_bytes()
    store.delete(conversation)
    assert store.summaries() == []
    assert secret.encode() not in store.path.read_bytes()
    assert [file.name for file in store.path.parent.iterdir()] == [store.path.name]


def test_a_title_can_be_changed_and_is_one_line(store: Store) -> None:
    conversation = store.add([QUESTION, ANSWER])
    store.rename(conversation, "  \n Slots \n and more")
    assert store.summaries()[0].title == store.conversation(conversation).title == "Slots"
    with pytest.raises(PromptError, match="needs a title"):
        store.rename(conversation, " \n")


def test_the_beginning_of_an_id_is_enough_where_it_is_the_only_one(store: Store) -> None:
    conversation = store.add([QUESTION, ANSWER])
    assert store.find(conversation[:8]) == store.find(conversation) == conversation
    for start in ("", conversation[:3], "%" * 8, conversation + "0"):
        with pytest.raises(PromptError, match="no such conversation"):
            store.find(start)
    with sqlite3.connect(store.path) as database:
        database.execute(
            "INSERT INTO conversation (id, title, updated) VALUES (?, '', 0)",
            (conversation[:8] + "f" * 30,),
        )
    database.close()
    with pytest.raises(PromptError, match="more than one"):
        store.find(conversation[:8])


def test_an_unknown_conversation_is_an_error(store: Store) -> None:
    for call in (store.conversation, store.delete, lambda id: store.rename(id, "x")):
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
    question = Entry("user", content, (Attachment(content, content, content),))
    assert store.conversation(store.add([question])).entries == (question,)


def test_a_damaged_file_is_named(store: Store) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.write_bytes(b"this is no database, but long enough to look at" * 50)
    with pytest.raises(OpencoderError, match=store.path.name) as error:
        store.summaries()
    assert isinstance(error.value.__cause__, sqlite3.DatabaseError)


def test_any_thread_may_use_it(store: Store) -> None:
    turns = [turn(str(number)) for number in range(16)]
    with ThreadPoolExecutor(4) as pool:
        conversations = list(pool.map(store.add, turns))
        entries = [list(c.entries) for c in pool.map(store.conversation, conversations)]
    assert entries == turns
    assert len(store.summaries()) == 16
