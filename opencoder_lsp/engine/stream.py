"""The event loop's end of a request: what the engine thread says, as it comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from opencoder_lsp.engine.core import Engine
from opencoder_lsp.engine.request import Event, Finish, Params
from opencoder_lsp.errors import EngineError


class Stream:
    """
    The pieces of one request, in an `async with`; leaving the block cancels what is left of it.

    Iterating ends after the last piece; then `finish` is set. Raises EngineError where the request
    failed.
    """

    def __init__(self, engine: Engine, ids: Sequence[int], params: Params) -> None:
        """Hand the request in; raises as `Engine.submit` does."""
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._engine = engine
        self._ended = False
        self.finish: Finish | None = None
        self.request = engine.submit(ids, params, self._put)

    def cancel(self) -> None:
        """Stop before the next step; the iteration then ends with `finish.reason` "cancelled"."""
        self._engine.cancel(self.request)

    async def __aenter__(self) -> Self:
        """The request is already on its way."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Cancel the request unless it has ended."""
        if not self._ended:
            self.cancel()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over the text pieces; those that wait already come as one."""
        while not self._ended:
            events = [await self._events.get()]
            while not self._events.empty():
                events.append(self._events.get_nowait())
            if text := "".join(event for event in events if isinstance(event, str)):
                self._ended = not isinstance(events[-1], str)
                yield text
            last = events[-1]
            if isinstance(last, EngineError):
                self._ended = True
                raise last
            if isinstance(last, Finish):
                self._ended = True
                self.finish = last

    def _put(self, event: Event) -> None:
        # Called on the engine thread. A closed loop means that nobody reads any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
