"""Stop strings: an answer ends where it would say one, however its tokens cut the string."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencoder_lsp.engine.request import Scored


class StopText:
    """
    A text that comes in pieces and ends in front of the stop string that is complete first.

    What may begin a stop string is held back until that is settled. The first `skip` characters
    are no part of the search.
    """

    def __init__(self, stops: Sequence[str], skip: int = 0) -> None:
        self._stops = stops
        self._longest = max(map(len, stops))
        self._skip = skip
        self._held = ""
        self.found = False

    def push(self, piece: str) -> str:
        """Return what may be shown now; nothing more comes once `found` is true."""
        passed, piece = piece[: self._skip], piece[self._skip :]
        self._skip -= len(passed)
        self._held += piece
        places = [(self._held.find(stop), stop) for stop in self._stops]
        ends = [(start + len(stop), start) for start, stop in places if start >= 0]
        if ends:
            self.found = True
            shown, self._held = self._held[: min(ends)[1]], ""
        else:
            start = self._open()
            shown, self._held = self._held[:start], self._held[start:]
        return passed + shown

    def rest(self) -> str:
        """Return what is still held back when the text ends otherwise."""
        held, self._held = self._held, ""
        return held

    def _open(self) -> int:
        """Return where that begins which may become a stop string."""
        end = len(self._held)
        for start in range(max(0, end - self._longest + 1), end):
            tail = self._held[start:]
            if any(stop.startswith(tail) for stop in self._stops):
                return start
        return end


class Stops:
    """
    The same for an answer's events, which are texts, or else tokens with their scores.

    A token is held back until all of its text may be shown; the last one's text may be cut.
    """

    def __init__(self, stops: Sequence[str], skip: int) -> None:
        """`skip` is in characters: those of the forced prefix."""
        self._text = StopText(stops, skip)
        self._scored = deque["Scored"]()
        self._room = 0  # characters that may be shown of what is scored

    @property
    def found(self) -> bool:
        """Whether the answer has ended at a stop string."""
        return self._text.found

    def push(self, event: "str | Scored") -> "Iterator[str | Scored]":
        """Yield what may be shown now."""
        if isinstance(event, str):
            if shown := self._text.push(event):
                yield shown
            return
        self._room += len(self._text.push(event.text))
        self._scored.append(event)
        while self._scored and len(self._scored[0].text) <= self._room:
            self._room -= len(self._scored[0].text)
            yield self._scored.popleft()
        if self.found and self._room:
            yield replace(self._scored[0], text=self._scored[0].text[: self._room])

    def rest(self) -> "Iterator[str | Scored]":
        """Yield what is still held back when the answer ends otherwise."""
        if not self.found:
            yield from self._scored or filter(None, [self._text.rest()])
