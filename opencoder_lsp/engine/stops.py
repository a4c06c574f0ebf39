"""Stop strings: an answer ends where it would say one, however its tokens cut the string."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from opencoder_lsp.prompt.stops import StopText

if TYPE_CHECKING:
    from opencoder_lsp.engine.request import Scored


class Stops:
    """
    `StopText` for an answer's events, which are texts, or else tokens with their scores.

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
