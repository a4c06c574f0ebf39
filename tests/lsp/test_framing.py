"""Frames from clients that are sloppy, broken or hostile."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.lsp.framing import (
    HEADER_LIMIT,
    PASSED_LIMIT,
    BrokenStream,
    Frames,
    Malformed,
    TooLarge,
    frame,
    parse,
)

ONE = {"jsonrpc": "2.0", "method": "one"}
TWO = {"jsonrpc": "2.0", "method": "two"}
BODY = json.dumps(ONE).encode()

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Halves of pairs that meet come back as one character: that is JSON, not our frames.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def messages(data: bytes) -> list[Any]:
    return list(Frames().feed(data))


def headed(body: bytes, length: int | None = None) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body) if length is None else length, body)


@pytest.mark.fault("F07")
@given(st.lists(json_values, max_size=4), st.lists(st.integers(1, 9), max_size=60))
def test_messages_come_out_as_they_went_in_however_they_are_cut(
    values: list[Any], cuts: list[int]
) -> None:
    stream = b"".join(frame(value) for value in values)
    frames, out = Frames(), list[Any]()
    for cut in cuts:
        out += frames.feed(stream[:cut])
        stream = stream[cut:]
    out += frames.feed(stream)
    assert out == values


@given(st.binary(max_size=200), st.lists(st.sampled_from([frame(ONE), b"\r\n", b"{"]), max_size=5))
def test_no_bytes_raise_anything_but_a_broken_stream(noise: bytes, rest: list[bytes]) -> None:
    frames = Frames()
    with suppress(BrokenStream):
        for data in [noise, *rest]:
            for item in frames.feed(data):
                assert not isinstance(item, bytes)


@pytest.mark.fault("F01")
@pytest.mark.parametrize(
    "header",
    [
        b"content-length: %d\r\n\r\n",
        b"CONTENT-LENGTH:%d\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf8\r\n\r\n",
        b"Content-Length: %d\r\nX-Trace: 1\r\n\r\n",
        b"Content-Length: %d\n\n",
        b"Content-Length: 3\r\nContent-Length: %d\r\n\r\n",
        b"\r\n\r\nContent-Length: %d\r\n\r\n",
    ],
)
def test_headers_are_taken_as_clients_write_them(header: bytes) -> None:
    assert messages(header % len(BODY) + BODY + frame(TWO)) == [ONE, TWO]


@pytest.mark.fault("F03")
@pytest.mark.parametrize("length", [len(BODY) - 1, len(BODY) - 7, len(BODY) + 1, len(BODY) + 9])
def test_a_wrong_length_is_reported_once_and_the_next_message_is_found(length: int) -> None:
    first, *rest = messages(headed(BODY, length) + frame(TWO) + frame(ONE))
    assert isinstance(first, Malformed)
    assert rest == [TWO, ONE]


@pytest.mark.fault("F04")
def test_garbage_between_messages_is_reported_once() -> None:
    first, *rest = messages(b"hello\r\nthere\r\n" + frame(ONE))
    assert isinstance(first, Malformed)
    assert rest == [ONE]


@pytest.mark.fault("F08")
def test_each_body_that_is_no_json_is_reported() -> None:
    out = messages(headed(b"{") + headed(b"nope") + frame(ONE))
    assert [isinstance(item, Malformed) for item in out] == [True, True, False]


@pytest.mark.fault("F08")
@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b'{"a": NaN}', b"[Infinity]", b"[" * 100_000, b'"\x01"', b"{} {}", b" "],
    ids=["half", "not UTF-8", "NaN", "Infinity", "deep", "control", "two", "blank"],
)
def test_what_is_no_json_is_an_error_without_its_text(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a message is ") as error:
        parse(body)
    assert "NaN" not in str(error.value)


@pytest.mark.fault("F08")
def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b"\xef\xbb\xbf{}") == {}


@pytest.mark.fault("F04")
def test_an_empty_message_is_skipped() -> None:
    assert messages(b"Content-Length: 0\r\n\r\n" + frame(ONE)) == [ONE]


@pytest.mark.fault("F05")
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_message_that_is_too_large_is_passed_over(step: int) -> None:
    frames, out = Frames(body_limit=100), list[Any]()
    data = headed(b"x" * 5000) + frame(ONE) + headed(b"Content-Length: 5" * 10) + frame(TWO)
    for start in range(0, len(data), step):
        out += frames.feed(data[start : start + step])
    assert [type(item) for item in out] == [TooLarge, dict, TooLarge, dict]
    assert [out[1], out[3]] == [ONE, TWO]


@pytest.mark.fault("F05")
@pytest.mark.parametrize("step", [9, 10_000])
@pytest.mark.parametrize("method", ["textDocument/didOpen", "textDocument/didChange"])
@pytest.mark.parametrize("backwards", [False, True])
def test_of_what_is_passed_over_it_is_known_whether_it_opened_a_document(
    step: int, method: str, backwards: bool
) -> None:
    members = [("jsonrpc", "2.0"), ("method", method), ("params", {"text": "x" * 9000})]
    data = frame(dict(reversed(members) if backwards else members))
    frames, out = Frames(body_limit=100), list[Any]()
    for start in range(0, len(data), step):
        out += frames.feed(data[start : start + step])
    assert [item.opens for item in out] == [method == "textDocument/didOpen"]


def test_a_message_as_large_as_the_limit_is_read() -> None:
    assert list(Frames(body_limit=len(BODY)).feed(headed(BODY))) == [ONE]


@pytest.mark.fault("F05")
def test_a_length_that_no_editor_announces_ends_the_stream_before_its_body() -> None:
    for length in (PASSED_LIMIT + 1, 2**31, 20 * 10**9, 10**30):
        with pytest.raises(BrokenStream):
            messages(b"Content-Length: %d\r\n" % length)


@pytest.mark.fault("F04")
@pytest.mark.parametrize("end", [b"", b"\r\n", b"Content-Length: 2\r\n\r\n{}"])
def test_a_header_that_is_too_long_ends_the_stream(end: bytes) -> None:
    with pytest.raises(BrokenStream):
        messages(b"x" * (HEADER_LIMIT + 1) + end)


def test_the_longest_header_is_taken_however_it_comes() -> None:
    header = b"X-Filler:".ljust(HEADER_LIMIT - 1, b"x") + b"\r\n"
    assert messages(header + frame(ONE)) == [ONE]
    frames = Frames()
    cut = [*frames.feed(header[:-1]), *frames.feed(header[-1:]), *frames.feed(frame(ONE))]
    assert cut == [ONE]


def test_a_lone_surrogate_stays_escaped_on_the_way_out() -> None:
    data = frame({"text": "\ud83d"})
    assert b"\\ud83d" in data
    assert messages(data) == [{"text": "\ud83d"}]
