"""HTTP answers that watch for their client's going while they are being made."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@contextlib.asynccontextmanager
async def _watching(receive: Receive, left: Callable[[], None]) -> AsyncIterator[None]:
    """Call `left` should the client go while the block runs."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left()

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class EventStream(Response):
    """Server-sent events; the client's going calls `left`, which has to end `source`."""

    def __init__(self, source: AsyncGenerator[bytes], left: Callable[[], None]) -> None:
        """`source` gives whole events."""
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._source = source
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events as they come."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        async with _watching(receive, self._left), contextlib.aclosing(self._source) as events:
            await send(start)
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class WholeAnswer(Response):
    """A response that takes long to make; the client's going calls `left`, as above."""

    def __init__(self, make: Coroutine[Any, Any, Response], left: Callable[[], None]) -> None:
        """`make` returns the response to send."""
        super().__init__()
        self._make = make
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the response, then send it."""
        async with _watching(receive, self._left):
            response = await self._make
        await response(scope, receive, send)
