"""
The suggestion session of a document: one engine stream that may outlive the request it was for.

VS Code cancels a request before each new one, Neovim sends new ones without cancelling, and most
keys only type what the model is about to say. So the stream belongs to the document:

* A request is answered when the suggestion is complete; with None at once when a newer request or
  an edit has come, even while it waits for an engine; and not at all (it raises CancelledError)
  when it is cancelled.
* The stream goes on while the text typed since its start agrees with what it produces, and the
  next request takes it over. It is closed when an edit contradicts it, when the document is closed
  or no longer wanted, and when nobody has taken it over for 250 ms.
* A complete suggestion is kept, so typing along it needs no engine.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from opencoder_lsp.lsp.ending import Ending
from opencoder_lsp.lsp.failures import describe
from opencoder_lsp.prompt.completion import Place

log = logging.getLogger(__name__)

GRACE = 0.25  # seconds that a stream waits for the next request
OnText = Callable[[str], None]
Ready = Callable[[], Awaitable[object]]


class Continuation(Protocol):
    """What an engine goes on with behind a place, without the forced prefix."""

    @property
    def finish_reason(self) -> str | None:
        """Why the stream ended ("stop", "length"), once it has."""

    def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over its pieces."""


Source = Callable[[Place], AbstractAsyncContextManager[Continuation]]


class Generation:
    """
    One suggestion, from the opening of its stream until it is complete or closed.

    `text` is what there is to show so far. `on_change` is called when it has grown, and once when
    `complete` becomes true; `error` then says whether it failed.
    """

    def __init__(self, place: Place, source: Source, on_change: Callable[[], None]) -> None:
        self.place = place
        self.text = ""
        self.complete = False
        self.error: Exception | None = None
        self._source = source
        self._on_change = on_change
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """Leave the stream, which ends the engine's work; nothing is called any more."""
        self._on_change = lambda: None
        self._task.cancel()

    def typed(self, before: str, after: str) -> str | None:
        """
        Return what was typed since the start, given the text left and right of the cursor.

        None where the text has changed in any other way, or what was typed contradicts `text`.
        """
        if after != self.place.suffix or not before.startswith(self.place.prefix):
            return None
        return self._agreeing(before[len(self.place.prefix) :])

    def typed_in(self, text: str) -> str | None:
        """Return what was typed since the start as `typed`, given the text of the document."""
        left, right = self.place.prefix, self.place.suffix
        if len(text) < len(left) + len(right):
            return None
        if not (text.startswith(left) and text.endswith(right)):
            return None
        return self._agreeing(text[len(left) : len(text) - len(right)])

    def _agreeing(self, typed: str) -> str | None:
        typed = typed.replace("\r\n", "\n")
        if self.text.startswith(typed) or (not self.complete and typed.startswith(self.text)):
            return typed
        return None

    async def _run(self) -> None:
        ending, raw, done = Ending(self.place), "", False
        try:
            async with self._source(self.place) as pieces:
                async for piece in pieces:
                    raw += piece
                    self.text, done = ending.cut(raw.replace("\r\n", "\n"))
                    if done:
                        break
                    self._on_change()
                truncated = pieces.finish_reason == "length" and not done
            text = raw.replace("\r\n", "\n")
            self.text, _ = ending.cut(text, final=not done, truncated=truncated)
        except Exception as error:  # boundary: it is raised again in the request that waits
            self.text, self.error = "", error
        self.complete = True
        self._on_change()


@dataclass
class _Request:
    """The request that waits: where it is, and what it gets."""

    place: Place
    on_text: OnText | None
    answer: asyncio.Future[str | None]

    def resolve(self, text: str | None) -> None:
        if not self.answer.done():
            self.answer.set_result(text)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Session:
    """The session of one document. `source` opens a stream for a place."""

    def __init__(self, source: Source, grace: float = GRACE) -> None:
        self._source = source
        self._grace = grace
        self._generation: Generation | None = None
        self._request: _Request | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no request, stream or suggestion, so that no edit matters."""
        return self._generation is None and self._request is None

    @property
    def is_working(self) -> bool:
        """Whether a stream is open."""
        return self._generation is not None and not self._generation.complete

    async def suggest(
        self, place: Place, on_text: OnText | None = None, ready: Ready | None = None
    ) -> str | None:
        """
        Return what to insert at `place`, "" where there is nothing, None where it is outdated.

        `on_text` gets the whole suggestion so far each time it grows. A new stream is opened only
        after `ready` has been awaited. Raises what that and the source raise.
        """
        self._answer_none()
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        request = self._request = _Request(place, on_text, answer)
        self._stop_timer()
        try:
            if not self._can_take_over(place):
                self._drop()
                if ready is not None:
                    await _first(ready(), answer)
                if not answer.done():
                    self._start(place)
            self._advance()
            return await answer
        finally:
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, so that asyncio does not complain of one not raised here
            if (
                self._request is request
            ):  # it got no answer: it was cancelled, or there is no engine
                self._request = None
                self._start_timer()

    def changed(self, text: str) -> None:
        """Note that the document has now this text."""
        self._answer_none()
        generation = self._generation
        if generation is None:
            return
        if generation.typed_in(text) is None:
            self._drop()
        else:
            self._start_timer()

    def close(self) -> None:
        """End the stream and answer what waits: nothing is wanted here any more."""
        self._answer_none()
        self._drop()

    def _can_take_over(self, place: Place) -> bool:
        generation = self._generation
        if generation is None or generation.error is not None:
            return False
        typed = generation.typed(place.prefix, place.suffix)
        # All of a suggestion was typed: what comes next is another one.
        return typed is not None and not (
            generation.complete and typed and typed == generation.text
        )

    def _start(self, place: Place) -> None:
        self._drop()
        self._generation = Generation(place, self._source, self._advance)

    def _advance(self) -> None:
        """Give the request that waits what there is for it now."""
        request, generation = self._request, self._generation
        if generation is None:
            return
        if generation.complete:
            self._stop_timer()
        if request is None:
            if generation.error is not None:
                log.info("a stream that nobody waited for failed: %s", describe(generation.error))
            return
        if generation.error is not None:
            self._request = None
            request.fail(generation.error)
            return
        typed = generation.typed(request.place.prefix, request.place.suffix)
        if typed is None:  # what was typed ahead turned out to be something else
            self._start(request.place)
        elif generation.complete:
            self._request = None
            request.resolve(generation.text[len(typed) :])
        elif request.on_text is not None and len(generation.text) > len(typed):
            request.on_text(generation.text[len(typed) :])

    def _answer_none(self) -> None:
        if self._request is not None:
            self._request.resolve(None)
            self._request = None

    def _drop(self) -> None:
        self._stop_timer()
        if self._generation is not None:
            self._generation.close()
            self._generation = None

    def _start_timer(self) -> None:
        self._stop_timer()
        if self.is_working:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._grace, self._drop)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _first(ready: Awaitable[object], answer: asyncio.Future[str | None]) -> None:
    """Wait until one of the two is there; raises what `ready` raises, unless there is an answer."""
    waiting = asyncio.ensure_future(ready)
    both: set[asyncio.Future[Any]] = {waiting, answer}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    failed = waiting.done() and not waiting.cancelled() and waiting.exception()
    if failed and not answer.done():
        raise failed
