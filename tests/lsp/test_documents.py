"""The text document against a reference model, and what editors get wrong."""

import logging
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from opencoder_lsp.lsp.documents import Document, Documents, Encoding, Spot
from tests.lsp.reference import Reference, without_surrogates

URI = "file:///w/a.py"
ENCODINGS: list[Encoding] = list(get_args(Encoding))
# Line breaks of LSP, "line breaks" of Python only, one to four bytes, one and two UTF-16 units,
# things that combine, and halves of surrogate pairs.
CHARACTERS = "ab \n\r\x0b\x0c\x1c\x85\u2028\u2029éß€語😀👩\u200d\u0301\x00\ufeff\ud83d\ude00"

texts = st.text(st.sampled_from(CHARACTERS), max_size=30)
positions = st.tuples(st.integers(0, 12), st.integers(0, 20))


@st.composite
def changes(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int], str] | str:
    if draw(st.integers(0, 9)) == 0:
        return draw(texts)
    return draw(positions), draw(positions), draw(texts)


def partial(
    start: tuple[int, int], end: tuple[int, int], text: str
) -> types.TextDocumentContentChangePartial:
    span = types.Range(types.Position(*start), types.Position(*end))
    return types.TextDocumentContentChangePartial(span, text)


def document(text: str, encoding: Encoding = "utf-16") -> Document:
    return Document(URI, "python", 1, text, encoding)


def item(text: str, version: int = 1) -> types.TextDocumentItem:
    return types.TextDocumentItem(URI, "python", version, text)


def version(number: int) -> types.VersionedTextDocumentIdentifier:
    return types.VersionedTextDocumentIdentifier(number, URI)


@pytest.mark.fault("F25", "F26", "F28")
@settings(max_examples=1500, deadline=None)
@given(texts, st.lists(changes(), max_size=8), st.sampled_from(ENCODINGS))
def test_any_sequence_of_edits_leaves_the_text_of_the_reference_model(
    text: str, edits: list[tuple[tuple[int, int], tuple[int, int], str] | str], encoding: Encoding
) -> None:
    reference = Reference(without_surrogates(text), encoding)
    ours = document(text, encoding)
    for edit in edits:
        if isinstance(edit, str):
            reference.text = without_surrogates(edit)
            ours.apply([types.TextDocumentContentChangeWholeDocument(edit)])
        else:
            reference.replace(*edit)
            ours.apply([partial(*edit)])
        assert ours.text == reference.text
        assert ours.size == len(reference.text)
        assert ours.line_count == len(reference.line_starts())


@given(texts, positions, positions, texts, st.sampled_from(ENCODINGS))
def test_the_end_of_the_latest_change_is_remembered(
    text: str, start: tuple[int, int], end: tuple[int, int], inserted: str, encoding: Encoding
) -> None:
    ours = document(text.replace("\r", ""), encoding)
    inserted = inserted.replace("\r", "")
    ours.apply([partial(start, end, inserted)])
    assert ours.split(ours.edited)[0].endswith(without_surrogates(inserted))


def test_a_place_of_an_older_text_is_moved_into_this_one() -> None:
    ours = document("ab\ncd")
    for older, here in (
        (Spot(0, 1), Spot(0, 1)),
        (Spot(0, 9), Spot(0, 2)),
        (Spot(7, 1), Spot(1, 1)),
    ):
        assert ours.nearest(older) == here


@pytest.mark.fault("F26")
@settings(max_examples=1000, deadline=None)
@given(texts, positions, st.sampled_from(ENCODINGS))
def test_text_left_and_right_of_any_position_is_that_of_the_reference_model(
    text: str, position: tuple[int, int], encoding: Encoding
) -> None:
    reference = Reference(without_surrogates(text), encoding)
    ours = document(text, encoding)
    offset = reference.offset(*position)
    left, right = ours.split(ours.spot(types.Position(*position)))
    assert (left, right) == (reference.text[:offset], reference.text[offset:])


@settings(max_examples=500, deadline=None)
@given(texts, positions, positions, st.sampled_from(ENCODINGS))
def test_a_slice_is_the_text_between_two_positions(
    text: str, one: tuple[int, int], other: tuple[int, int], encoding: Encoding
) -> None:
    reference = Reference(without_surrogates(text), encoding)
    ours = document(text, encoding)
    first, last = sorted((reference.offset(*one), reference.offset(*other)))
    start, end = sorted((ours.spot(types.Position(*one)), ours.spot(types.Position(*other))))
    assert ours.slice(start, end) == reference.text[first:last]


@settings(max_examples=500, deadline=None)
@given(texts, positions, st.sampled_from(ENCODINGS))
def test_a_place_given_back_to_the_editor_means_the_same_place(
    text: str, position: tuple[int, int], encoding: Encoding
) -> None:
    ours = document(text, encoding)
    spot = ours.spot(types.Position(*position))
    assert ours.spot(ours.position(spot)) == spot


@pytest.mark.fault("F26", "P22")
@pytest.mark.parametrize(
    ("encoding", "character"), [("utf-8", 10), ("utf-16", 4), ("utf-32", 3)], ids=ENCODINGS
)
def test_a_column_after_an_emoji_counts_in_the_units_of_the_encoding(
    encoding: Encoding, character: int
) -> None:
    ours = document("a😀é\u2028b" if encoding == "utf-8" else "a😀éb", encoding)
    spot = ours.spot(types.Position(0, character))
    assert spot == Spot(0, 4 if encoding == "utf-8" else 3)
    assert ours.position(spot) == types.Position(0, character)


@pytest.mark.fault("F26", "P22")
@pytest.mark.parametrize(("encoding", "inside"), [("utf-8", (2, 3, 4)), ("utf-16", (2,))])
def test_a_position_inside_a_character_is_rounded_up(
    encoding: Encoding, inside: tuple[int, ...]
) -> None:
    ours = document("a😀b", encoding)
    assert {ours.spot(types.Position(0, column)) for column in inside} == {Spot(0, 2)}


@pytest.mark.fault("F24")
def test_text_typed_past_the_end_of_a_last_line_is_put_at_its_end() -> None:
    ours = document("abc")
    ours.apply([partial((0, 99), (0, 99), "X")])
    assert ours.text == "abcX"


@pytest.mark.fault("F24")
def test_text_typed_past_the_end_of_a_line_stays_before_its_line_break() -> None:
    ours = document("abc\r\ndef")
    ours.apply([partial((0, 99), (0, 99), "X")])
    assert ours.text == "abcX\r\ndef"


@pytest.mark.fault("F24")
def test_a_position_past_the_last_line_is_the_end_of_the_text() -> None:
    assert document("abc\n").split(Spot(1, 0)) == ("abc\n", "")
    assert document("abc\n").spot(types.Position(7, 3)) == Spot(1, 0)
    assert document("abc").spot(types.Position(2**31 - 1, 2**31 - 1)) == Spot(0, 3)


@pytest.mark.fault("F28")
def test_a_reversed_range_is_swapped() -> None:
    ours = document("one two")
    ours.apply([partial((0, 7), (0, 4), "three")])
    assert ours.text == "one three"


@pytest.mark.fault("F25")
def test_form_feed_and_u2028_do_not_end_a_line() -> None:
    ours = document("a\x0cb\u2028c\x85d\x0be\x1cf\ng")
    assert ours.line_count == 2
    assert ours.line(0) == "a\x0cb\u2028c\x85d\x0be\x1cf"


@pytest.mark.fault("F25")
def test_a_line_feed_put_behind_a_carriage_return_makes_one_line_break() -> None:
    ours = document("a\rb")
    ours.apply([partial((1, 0), (1, 0), "\n")])
    assert ours.text == "a\r\nb"
    assert ours.line_count == 2


@pytest.mark.fault("F25")
def test_text_between_carriage_return_and_line_feed_is_not_reachable() -> None:
    ours = document("a\r\nb")
    assert ours.spot(types.Position(0, 2)) == Spot(0, 1)


@pytest.mark.fault("F28")
def test_changes_of_one_notification_build_on_each_other() -> None:
    ours = document("")
    ours.apply([partial((0, 0), (0, 0), "ab"), partial((0, 2), (0, 2), "cd\n")])
    ours.apply([partial((1, 0), (1, 0), "x")])
    assert ours.text == "abcd\nx"


@pytest.mark.fault("F27", "P23")
def test_text_always_can_be_encoded() -> None:
    ours = document("x = '\ud83d'\n")
    ours.apply([partial((0, 0), (0, 0), "\ude00")])
    assert ours.text.encode("utf-8").decode("utf-8") == "\ufffdx = '\ufffd'\n"
    assert Document("file:///a", "\ud83d", 1, "").language == "\ufffd"


@pytest.mark.fault("F29", "P16")
def test_a_change_of_a_document_that_is_not_open_is_dropped_with_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    file = tmp_path / "a.py"
    file.write_text("on disk")
    documents = Documents()
    identifier = types.VersionedTextDocumentIdentifier(1, file.as_uri())
    with caplog.at_level(logging.INFO):
        assert documents.change(identifier, [partial((0, 0), (0, 0), "secret")]) is None
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text
    assert documents.get(file.as_uri()) is None


@pytest.mark.fault("F29")
def test_a_change_of_an_older_version_is_dropped_and_the_document_is_out_of_sync() -> None:
    documents = Documents()
    ours = documents.open(item("abc", version=5))
    assert documents.change(version(4), [partial((0, 0), (0, 3), "")]) is None
    assert ours.text == "abc"
    assert not ours.in_sync


@pytest.mark.fault("F29")
def test_the_whole_text_brings_a_document_back_into_sync() -> None:
    documents = Documents()
    ours = documents.open(item("abc", version=5))
    documents.change(version(4), [partial((0, 0), (0, 3), "")])
    documents.change(version(6), [types.TextDocumentContentChangeWholeDocument("new")])
    assert (ours.text, ours.in_sync, ours.version) == ("new", True, 6)


@pytest.mark.fault("F29")
def test_a_change_that_cannot_be_read_puts_its_document_out_of_sync() -> None:
    documents = Documents()
    ours, other = (
        documents.open(item("abc")),
        documents.open(types.TextDocumentItem("file:///w/b.py", "python", 1, "")),
    )
    odd_ones: list[Any] = [None, [], {}, {"textDocument": {}}, {"textDocument": {"uri": []}}]
    for odd in odd_ones:
        documents.lose(odd)
    documents.lose({"textDocument": {"uri": "file:///w/c.py"}})
    assert ours.in_sync
    documents.lose({"textDocument": {"uri": URI, "version": "?"}})
    assert (ours.in_sync, other.in_sync) == (False, True)
    documents.lose_all()
    assert not other.in_sync


@pytest.mark.fault("F29")
def test_a_document_that_is_opened_twice_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    documents = Documents()
    documents.open(item("old"))
    assert documents.open(item("new")).text == "new"
    assert len(documents) == 1
    assert "twice" in caplog.text


def test_a_closed_document_is_forgotten() -> None:
    documents = Documents()
    documents.open(item("abc"))
    assert documents.close(URI)
    assert documents.get(URI) is None
    assert not documents.close(URI)


@pytest.mark.fault("P25")
def test_a_file_of_five_megabytes_is_edited_line_by_line() -> None:
    ours = document("    total = total + 1  # ✓\n" * 170_000)
    for number in range(0, 170_000, 1_700):
        ours.apply([partial((number, 0), (number, 4), "\t")])
    assert ours.text.count("\t") == 100
    assert ours.line_count == 170_001
