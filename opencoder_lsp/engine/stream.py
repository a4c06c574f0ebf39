"""The event loop's end of an answer: what the engine thread says, as it comes."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from opencoder_lsp.engine.core import Engine
from opencoder_lsp.engine.request import Event, Finish, Params, Reason, Request, Scored, State
from opencoder_lsp.errors import EngineError

log = logging.getLogger(__name__)

BACKLOG = 4096  # events, about one a token, that may wait for a reader
_PROMPT = -1  # in place of a choice's index: the request that computes what all of them share


@dataclass(frozen=True, slots=True)
class Usage:
    """What a whole answer took, all choices together; the prompt counts once."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What one choice says next: some text, or its end; `usage` comes with the last one's."""

    index: int
    text: str = ""
    scores: tuple[Scored, ...] = ()  # one for each of its tokens, if they are asked for
    reason: Reason | None = None
    usage: Usage | None = None


class Stream:
    """
    The choices of one answer, in an `async with`; leaving the block cancels what is left of them.

    Several choices are requests of their own. Before them goes one that generates nothing: it puts
    the prompt into a slot, from which they take it. Choice i draws with seed + i. All have the
    deadline of the first request.

    Iterating ends after the last choice's end. Raises EngineError where one of them failed, or,
    as `Engine.submit` does, where there was no room for them behind the first.
    """

    def __init__(
        self, engine: Engine, ids: Sequence[int], params: Params, choices: int = 1
    ) -> None:
        """Hand the first request in; raises as `Engine.submit` does."""
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self._engine = engine
        self._ids = ids
        self._left = choices  # to end
        self._cancelled = False
        self._failed = False
        self._reading = False  # whether the reader waits for the next event
        self.params = params
        self.requests: list[Request] = []
        self.prompt: Finish | None = None  # the end of the request before several choices
        self.finishes: list[Finish] = []  # of the choices; their seconds include the prompt's
        if choices == 1:
            self._submit(0, params)
        else:
            self._submit(_PROMPT, replace(params, max_tokens=0))

    @property
    def id(self) -> str:
        """The name of the answer: its first request's."""
        return self.requests[0].id

    def cancel(self) -> None:
        """Stop all before the next step; the iteration then has a piece of reason "cancelled"."""
        self._cancelled = True
        for request in self.requests:
            if request.state is not State.ENDED:
                self._engine.cancel(request)

    def fail(self, error: EngineError) -> None:
        """End the iteration with an error, whatever the engine says from now on, and stop all."""
        if not self._failed:
            self._events.put_nowait((_PROMPT, error))
            self._failed = True
            self.cancel()

    async def __aenter__(self) -> Self:
        """The first request is already on its way."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Cancel the requests that have not ended."""
        self.cancel()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """Iterate over the pieces; texts of one choice that wait already come as one."""
        while self._left:
            self._reading = True
            waiting = [await self._events.get()]
            self._reading = False
            while not self._events.empty():
                waiting.append(self._events.get_nowait())
            for index in dict.fromkeys(index for index, _ in waiting):
                for piece in self._pieces(index, [event for of, event in waiting if of == index]):
                    yield piece

    def _pieces(self, index: int, events: Sequence[Event]) -> Iterator[Piece]:
        scores = tuple(event for event in events if isinstance(event, Scored))
        text = "".join(scored.text for scored in scores)
        text += "".join(event for event in events if isinstance(event, str))
        if text or scores:
            yield Piece(index, text, scores)
        last = events[-1]
        if isinstance(last, EngineError):
            self._left = 0
            raise last
        if isinstance(last, Finish):
            if index == _PROMPT and not self._cancelled:
                self._start(last)
            else:
                yield self._end(index, last)

    def _start(self, prompt: Finish) -> None:
        """Hand the choices in, now that their prompt is computed."""
        self.prompt = prompt
        seed = self.params.seed
        for index in range(self._left):
            own = None if seed is None else seed + index
            self._submit(index, replace(self.params, seed=own))

    def _end(self, index: int, finish: Finish) -> Piece:
        if index == _PROMPT:  # cancelled before there was a choice
            self._left = 0
            return Piece(0, reason="cancelled")
        self._left -= 1
        self.finishes.append(self._from_the_start(finish))
        usage = None
        if not self._left:
            first = self.prompt or finish
            new = sum(finish.completion_tokens for finish in self.finishes)
            usage = Usage(first.prompt_tokens, new, first.cached_tokens)
        return Piece(index, reason=finish.reason, usage=usage)

    def _from_the_start(self, finish: Finish) -> Finish:
        if self.prompt is None:
            return finish
        before, first = self.prompt.seconds, finish.first_token_seconds
        return replace(
            finish,
            seconds=before + finish.seconds,
            first_token_seconds=None if first is None else before + first,
        )

    def _submit(self, index: int, params: Params) -> None:
        sink = functools.partial(self._put, index)
        deadline = self.requests[0].deadline if self.requests else None
        self.requests.append(self._engine.submit(self._ids, params, sink, deadline))

    def _put(self, index: int, event: Event) -> None:
        # Called on the engine thread. A closed loop means that nobody reads any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._arrive, index, event)

    def _arrive(self, index: int, event: Event) -> None:
        if self._failed:
            return
        self._events.put_nowait((index, event))
        if self._events.qsize() > BACKLOG and not self._reading:
            log.warning("%s is cancelled: its reader has fallen %d tokens behind", self.id, BACKLOG)
            self.fail(EngineError(f"the reader of the answer has fallen {BACKLOG} tokens behind"))
