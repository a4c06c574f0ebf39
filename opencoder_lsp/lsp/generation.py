"""One suggestion while it is made: a stream of the engine, read until the suggestion has ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from opencoder_lsp.lsp.ending import Ending
from opencoder_lsp.lsp.typed import rest_of, typed_into, typed_since
from opencoder_lsp.prompt.completion import Place


class Continuation(Protocol):
    """What an engine goes on with behind a place, without the forced prefix."""

    @property
    def finish_reason(self) -> str | None:
        """Why the stream ended ("stop", "length"), once it has."""

    def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over its pieces."""


class Continuations(Protocol):
    """Several of them side by side."""

    @property
    def finish_reasons(self) -> dict[int, str]:
        """Why each has ended, by its number, once it has."""

    def __aiter__(self) -> AsyncIterator[tuple[int, str]]:
        """Iterate over number and text of each piece."""


class Source(Protocol):
    """
    Opens streams; leaving one ends the engine's work.

    `ahead` is for what nobody waits for yet: it makes way for everything else.
    """

    def __call__(
        self, place: Place, *, ahead: bool = False
    ) -> AbstractAsyncContextManager[Continuation]:
        """Open the stream of the likeliest continuation."""

    def several(self, place: Place, count: int) -> AbstractAsyncContextManager[Continuations]:
        """Open the stream of `count` others, drawn at random, always the same at a place."""


class Generation:
    """
    One suggestion, from the opening of its stream until it is complete or closed.

    `text` is what there is to show so far. `on_change` is called when it has grown, and once when
    `complete` becomes true; `error` then says whether it failed. `on_first` gets the seconds until
    the stream's first piece. `virtual` says that the document has not the text of the place.
    """

    def __init__(
        self,
        place: Place,
        source: Source,
        on_change: Callable[["Generation"], None],
        *,
        on_first: Callable[[float], None] = lambda _seconds: None,
        ahead: bool = False,
        virtual: bool = False,
    ) -> None:
        self.place = place
        self.virtual = virtual
        self.ahead = ahead
        self.text = ""
        self.complete = False
        self.error: Exception | None = None
        self._source = source
        self._on_change = on_change
        self._on_first = on_first
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """Leave the stream, which ends the engine's work; nothing is called any more."""
        self._on_change = lambda _generation: None
        self._task.cancel()

    def rest(self, now: Place) -> str | None:
        """
        Return what is left to show at a place, "" perhaps, given what was typed since the start.

        None where the text has changed in any other way, or what was typed contradicts `text`.
        """
        typed = typed_since(self.place, now)
        if typed is None or not self._agrees(typed):
            return None
        closed = len(now.suffix) - len(self.place.suffix)
        return rest_of(self.text, typed, closed, now, complete=self.complete)

    def fits(self, text: str) -> bool:
        """Return whether the document can have this text without contradicting the suggestion."""
        return any(self._agrees(typed) for typed in typed_into(self.place, text))

    def _agrees(self, typed: str) -> bool:
        return self.text.startswith(typed) or (not self.complete and typed.startswith(self.text))

    async def _run(self) -> None:
        ending, raw, done = Ending(self.place), "", False
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with self._source(self.place, ahead=self.ahead) as pieces:
                async for piece in pieces:
                    if not raw:
                        self._on_first(clock() - began)
                    raw += piece
                    self.text, done = ending.cut(raw.replace("\r\n", "\n"))
                    if done:
                        break
                    self._on_change(self)
                truncated = pieces.finish_reason == "length" and not done
            text = raw.replace("\r\n", "\n")
            self.text, _ = ending.cut(text, final=not done, truncated=truncated)
        except Exception as error:  # boundary: it is raised again in the request that waits
            self.text, self.error = "", error
        self.complete = True
        self._on_change(self)


async def sampled(source: Source, place: Place, count: int) -> list[str]:
    """
    Return `count` other suggestions for a place, each "" perhaps, and some of them equal.

    The stream is left as soon as all of them have ended.
    """
    ending = Ending(place)
    raw, texts, done = [""] * count, [""] * count, [False] * count
    async with source.several(place, count) as pieces:
        async for number, piece in pieces:
            if done[number]:
                continue
            raw[number] += piece
            texts[number], done[number] = ending.cut(raw[number].replace("\r\n", "\n"))
            if all(done):
                break
        for number in (number for number in range(count) if not done[number]):
            truncated = pieces.finish_reasons.get(number) == "length"
            text = raw[number].replace("\r\n", "\n")
            texts[number], _ = ending.cut(text, final=True, truncated=truncated)
    return texts
