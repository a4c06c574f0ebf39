"""Server-sent events, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.client.sse import EventParser
from opencoder_lsp.errors import EngineError

LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
# What may stand in a data line: no line end, nothing that UTF-8 cannot carry.
DATA = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))


def events(*chunks: bytes) -> list[str]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def test_each_event_is_its_data() -> None:
    assert events(b"data: one\n\ndata: two\n\n") == ["one", "two"]


def test_comments_names_ids_and_unknown_fields_are_let_pass() -> None:
    stream = b": keep-alive\n\nevent: x\nid: 7\nretry: 3\nfoo: bar\ndata: it\n\n"
    assert events(stream) == ["it"]


def test_data_lines_of_one_event_are_joined() -> None:
    assert events(b"data: a\ndata:b\ndata\ndata:  c\n\n") == ["a\nb\n\n c"]


def test_an_unfinished_event_is_none() -> None:
    assert events(b"data: one\n\ndata: tw") == ["one"]


def test_a_byte_order_mark_is_let_pass() -> None:
    assert events("\ufeffdata: one\n\n".encode()) == ["one"]


def test_a_line_end_cut_in_two_is_one_line_end() -> None:
    assert events(b"data: a\r", b"\ndata: b\r", b"\n", b"\r", b"\n") == ["a\nb"]


def test_a_line_of_nearly_a_megabyte_is_read() -> None:
    long = "x" * 1_000_000
    stream = f"data: {long}\n\n".encode()
    assert events(*(stream[i : i + 65536] for i in range(0, len(stream), 65536))) == [long]


def test_a_long_line_in_small_pieces_takes_no_long_time() -> None:
    pieces = [b"x" * 10] * 100_000  # a megabyte: seconds, if each piece copied what came before
    assert events(b"data: ", *pieces, b"\n\n") == ["x" * 1_000_000]


@pytest.mark.parametrize(
    "chunk", [b"data: " + b"x" * 70_000, b"data: " + b"x" * 999 + b"\n", b":" + b"x" * 70_000]
)
def test_an_endless_event_is_refused(chunk: bytes) -> None:
    with pytest.raises(EngineError, match="an event of more than"):
        events(*[chunk] * 2000)


@pytest.mark.fault("F49")
@given(st.lists(st.tuples(DATA, LINE_ENDS), max_size=5), st.data())
def test_any_cutting_of_a_stream_gives_the_same_events(
    sent: list[tuple[str, str]], data: st.DataObject
) -> None:
    stream = "".join(f"data: {text}{end}{end}" for text, end in sent).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[left:right] for left, right in zip(edges, edges[1:], strict=False)]
    assert events(*chunks) == [text for text, _ in sent]
