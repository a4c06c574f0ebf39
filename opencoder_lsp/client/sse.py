"""
Server-sent events, as https://html.spec.whatwg.org/multipage/server-sent-events.html §9.2.6 says.

Only `data` is kept: no engine sends event names, ids or retry times that mean anything to us.
"""

import re

from opencoder_lsp.errors import EngineError

EVENT_LIMIT = 1 << 20  # bytes of one event; the longest honest one is a few KiB
_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventParser:
    """Turns the bytes of one stream, cut anywhere, into the data of its events."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._rest = list[bytes]()  # parts of the line that has not ended yet
        self._rest_size = 0
        self._data: list[str] = []  # the event that has not ended yet
        self._size = 0
        self._after_cr = False
        self._first = True

    def feed(self, chunk: bytes) -> list[str]:
        """
        Take the next bytes and return the data of every event that they complete.

        Raises EngineError for an event of more than `limit` bytes. What follows the last blank
        line when the stream ends is no event, so there is nothing to flush.
        """
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        first, *others = _LINE_END.split(chunk)
        self._keep(first)
        events = []
        for start in others:
            if line := b"".join(self._rest):
                self._field(line)
            elif self._data:
                events.append("\n".join(self._data))
                self._data, self._size = [], 0
            self._rest, self._rest_size = [], 0
            self._keep(start)
        self._after_cr = chunk.endswith(b"\r")
        return events

    def _keep(self, part: bytes) -> None:
        self._rest.append(part)
        self._rest_size += len(part)
        self._check()

    def _field(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        if self._first:
            text = text.removeprefix("\ufeff")
            self._first = False
        name, _, value = text.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
            self._size += len(line)

    def _check(self) -> None:
        if self._size + self._rest_size > self._limit:
            raise EngineError(f"the engine sent an event of more than {self._limit} bytes")
