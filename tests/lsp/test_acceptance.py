"""Which suggestion an answer belongs to, and what is noted of it."""

import threading
from pathlib import Path

import pytest

from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.lsp.acceptance import Acceptance
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.stats import Record

URI = "file:///work/a.py"


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "data" / "stats.sqlite3")


@pytest.fixture
def acceptance(record: Record) -> Acceptance:
    return Acceptance(lambda: True, record)


def offer(acceptance: Acceptance, prefix: str, text: str, *, uri: str = URI) -> str:
    place = Place("", "python", prefix, "\nrest\n")
    return acceptance.offer(uri, place, text, mode="template", model="demo", seconds=0.5)


def test_typing_along_a_suggestion_does_not_make_it_another_one(
    acceptance: Acceptance, record: Record
) -> None:
    first = offer(acceptance, "x = ", "value + 1")
    assert offer(acceptance, "x = va", "lue + 1") == first
    assert offer(acceptance, "x = v", "alue + 1") == first  # and back
    acceptance.close(30)
    assert [seen.characters for seen in record.since(1)] == [9]


def test_another_text_or_document_is_another_suggestion(acceptance: Acceptance) -> None:
    ids = {
        offer(acceptance, "x = ", "value"),
        offer(acceptance, "x = ", "other"),
        offer(acceptance, "y = ", "value"),
        offer(acceptance, "x = ", "value", uri="file:///work/b.py"),
    }
    assert len(ids) == 4


def test_each_of_several_choices_keeps_its_id(acceptance: Acceptance) -> None:
    ids = [offer(acceptance, "x = ", text) for text in ("one", "two", "three")]
    assert [offer(acceptance, "x = ", text) for text in ("one", "two", "three")] == ids


def test_a_closed_document_is_forgotten(acceptance: Acceptance) -> None:
    first = offer(acceptance, "x = ", "value")
    acceptance.forget(URI)
    assert offer(acceptance, "x = ", "value") != first


def test_only_the_latest_suggestions_of_a_document_are_remembered(acceptance: Acceptance) -> None:
    first = offer(acceptance, "x = ", "value 0")
    for number in range(1, 40):
        offer(acceptance, "x = ", f"value {number}")
    assert offer(acceptance, "x = ", "value 0") != first


def test_what_the_user_typed_of_a_suggestion_was_not_saved(
    acceptance: Acceptance, record: Record
) -> None:
    id = offer(acceptance, "x = ", "value + 1")
    offer(acceptance, "x = value", " + 1")
    acceptance.accepted(id, None)
    acceptance.close(30)
    assert [seen.accepted for seen in record.since(1)] == [4]


def test_the_record_has_lengths_and_no_text(acceptance: Acceptance, record: Record) -> None:
    offer(acceptance, "secret_prefix = ", "secret_value\n    more")
    acceptance.close(30)
    (seen,) = record.since(1)
    assert (seen.language, seen.mode, seen.model) == ("python", "template", "demo")
    assert (seen.characters, seen.lines, seen.seconds) == (21, 2, 0.5)
    data = record.path.read_bytes()
    assert b"secret" not in data
    assert b"a.py" not in data


def test_nothing_is_noted_while_it_is_turned_off(record: Record) -> None:
    enabled = [False]
    acceptance = Acceptance(lambda: enabled[0], record)
    hidden = offer(acceptance, "x = ", "value")
    acceptance.accepted(hidden, None)
    acceptance.close(30)
    assert not record.path.exists()
    enabled[0] = True
    offer(acceptance, "y = ", "value")
    acceptance.close(30)
    assert len(record.since(1)) == 1


class _Broken(Record):
    """A record that cannot be used, and says to whom it was said."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere/stats.sqlite3"))
        self.threads = list[str]()

    def prune(self) -> None:
        self.threads.append(threading.current_thread().name)
        raise OpencoderError("cannot use the record")


def test_a_record_that_cannot_be_used_is_told_once_and_asked_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = _Broken()
    acceptance = Acceptance(lambda: True, broken)
    for number in range(3):
        offer(acceptance, "x = ", f"value {number}")
    acceptance.close(30)
    assert broken.threads == ["stats"]
    assert [entry.getMessage() for entry in caplog.records] == [
        "suggestions are not counted: cannot use the record"
    ]


def test_closing_without_anything_noted_waits_for_nothing(acceptance: Acceptance) -> None:
    acceptance.close(0)
