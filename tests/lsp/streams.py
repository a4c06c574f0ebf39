"""A scripted source of suggestions, without an engine: each piece is sent when the test says so."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from opencoder_lsp.prompt.completion import Place


def place(prefix: str, suffix: str = "") -> Place:
    return Place("a.py", "python", prefix, suffix)


async def started(work: Coroutine[Any, Any, str | None]) -> asyncio.Task[str | None]:
    """Run a request up to its first await, as the protocol does with each message."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


class ScriptedStream:
    """One opened stream. `closed` is set when it is left, whatever the reason."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.finish_reason: str | None = None
        self.closed = asyncio.Event()
        self._pieces: asyncio.Queue[str | Exception | None] = asyncio.Queue()

    def send(self, *pieces: str) -> None:
        for piece in pieces:
            self._pieces.put_nowait(piece)

    def finish(self, *pieces: str, reason: str = "stop") -> None:
        self.send(*pieces)
        self.finish_reason = reason
        self._pieces.put_nowait(None)

    def fail(self, error: Exception) -> None:
        self._pieces.put_nowait(error)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece


class ScriptedSource:
    """Opens a `ScriptedStream` for each place; `await source.opened(n)` waits for the n-th."""

    def __init__(self) -> None:
        self.streams: list[ScriptedStream] = []
        self._more = asyncio.Event()

    @asynccontextmanager
    async def __call__(self, place: Place) -> AsyncIterator[ScriptedStream]:
        stream = ScriptedStream(place)
        self.streams.append(stream)
        self._more.set()
        try:
            yield stream
        finally:
            stream.closed.set()

    async def opened(self, count: int) -> ScriptedStream:
        while len(self.streams) < count:
            self._more.clear()
            await self._more.wait()
        return self.streams[count - 1]
