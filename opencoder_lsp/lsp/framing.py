"""
The base protocol: headers, an empty line, and that many bytes of JSON.

Pure bytes in and out, without input or output of its own. It takes what clients really send (names
in any case, no blank after the colon, bare line feeds, other headers in any order), passes over a
body larger than 64 MiB without keeping it, and finds the next message behind one whose length was
wrong, so that no mistake is answered by silence for ever.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

BODY_LIMIT = 64 << 20  # bytes
# Bytes of a body that are passed over. An editor does open files of 100 MB; what announces more
# than this is no editor.
PASSED_LIMIT = 1 << 30
HEADER_LIMIT = 8 << 10  # bytes of one header line

_EDGE = 1024  # bytes that are looked at on either side of a body that is too large
_OPENING = b'"textDocument/didOpen"'
_HEADER = re.compile(rb"[A-Za-z0-9-]+[ \t]*:.*", re.DOTALL)
# Searched for, not matched: behind a body that was announced too short, its rest stands in front.
_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d+)[ \t]*$", re.IGNORECASE)


class BrokenStream(Exception):
    """The stream cannot be followed any further; the message says why."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that were no message, once for each run of them; `reason` has none of them in it."""

    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge(Malformed):
    """A message passed over because of its length. `opens` is whether it only opened a document."""

    opens: bool


Item = Any | Malformed  # a JSON value, of whatever type


class Frames:
    """Cuts a stream of bytes into JSON values."""

    def __init__(self, body_limit: int = BODY_LIMIT) -> None:
        self._buffer = bytearray()
        self._limit = body_limit
        self._length: int | None = None  # of the body that the headers so far announce
        self._in_body = False
        self._passed = 0  # bytes of a body that is too large, and its first and last ones
        self._head, self._tail = bytearray(), bytearray()
        self._lost = False  # skipping bytes to the next header

    def feed(self, data: bytes) -> Iterator[Item]:
        """Take bytes and yield each message that is complete; BrokenStream ends it for good."""
        self._buffer += data
        while True:
            item = self._body() if self._in_body else self._header()
            if item is _MORE:
                return
            if item is not _NOTHING:
                yield item

    def _header(self) -> Any:
        end = self._buffer.find(b"\n", 0, HEADER_LIMIT + 1)
        if end < 0:
            if len(self._buffer) > HEADER_LIMIT:
                raise BrokenStream("a header is longer than 8 KiB")
            return _MORE
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        if found := _LENGTH.search(line):
            self._announce(int(found[1][:20]))
            item = self._noise() if found.start() > 0 else _NOTHING
            self._lost = False
            return item
        if not line:
            self._in_body = self._length is not None
            return _NOTHING
        return _NOTHING if _HEADER.fullmatch(line) else self._noise()

    def _announce(self, length: int) -> None:
        if length > PASSED_LIMIT:
            raise BrokenStream(f"a message of {length} bytes is announced")
        self._length = length or None  # an empty message is skipped

    def _noise(self) -> Any:
        """Report bytes that are no header, the first time."""
        if self._lost:
            return _NOTHING
        self._lost = True
        return Malformed("bytes that are not a header; is Content-Length right?")

    def _body(self) -> Any:
        assert self._length is not None
        if self._length > self._limit:
            return self._pass_over(self._length)
        if len(self._buffer) < self._length:
            return _MORE
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length, self._in_body = None, False
        try:
            return parse(body)
        except ValueError as error:
            if isinstance(error, ExtraData):  # announced too long: the next header began in it
                self._buffer[:0] = body[error.at :]
            self._lost = True  # it may have been announced too short: its rest is no news
            return Malformed(str(error))

    def _pass_over(self, length: int) -> Any:
        """Throw away what has come of a body that is too large, but for its beginning and end."""
        data = self._buffer[: length - self._passed]
        del self._buffer[: len(data)]
        self._passed += len(data)
        self._head += data[: _EDGE - len(self._head)]
        self._tail = (self._tail + data)[-_EDGE:]
        if self._passed < length:
            return _MORE
        # A member of the outermost object stands before or behind the text, in whatever order.
        opens = _OPENING in self._head or _OPENING in self._tail
        self._length, self._in_body, self._passed = None, False, 0
        self._head, self._tail = bytearray(), bytearray()
        return TooLarge(f"a message of {length} bytes is larger than {self._limit}", opens)


class ExtraData(ValueError):
    """Bytes follow a JSON value; `at` is where they begin."""

    def __init__(self, at: int) -> None:
        super().__init__("a message is followed by more bytes; is Content-Length right?")
        self.at = at


def parse(body: bytes) -> Any:
    """Parse one JSON value; ValueError, without any of its text, for anything else."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("a message is not UTF-8") from None
    try:
        value, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(" \t\r\n")))
    except RecursionError:
        raise ValueError("a message is nested too deeply") from None
    except ValueError:
        raise ValueError("a message is not JSON") from None
    rest = text[end:]
    if rest.strip(" \t\r\n"):
        raise ExtraData(len(body) - len(rest.encode("utf-8")))
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def frame(message: object) -> bytes:
    """Return a message with its header. Lone surrogates stay escaped, so it is always ASCII."""
    body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_MORE: Any = object()  # wait for more bytes
_NOTHING: Any = object()  # go on
