"""A scripted source of suggestions, without an engine: each piece is sent when the test says so."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import pytest

from opencoder_lsp.lsp.habits import Patience
from opencoder_lsp.prompt.completion import Place

_Stream = TypeVar("_Stream")
LONG = 3600.0  # what no test lives to see
PATIENT = Patience(LONG, LONG, LONG)


def place(prefix: str, suffix: str = "") -> Place:
    return Place("a.py", "python", prefix, suffix)


async def started(work: Coroutine[Any, Any, list[str] | None]) -> asyncio.Task[list[str] | None]:
    """Run a request up to its first await, as the protocol does with each message."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a request."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class ScriptedStream:
    """One opened stream. `closed` is set when it is left, whatever the reason."""

    def __init__(self, place: Place, *, ahead: bool = False) -> None:
        self.place = place
        self.ahead = ahead
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


class ScriptedOthers:
    """The opened stream of several answers: `send` takes number and text."""

    def __init__(self, place: Place, count: int) -> None:
        self.place = place
        self.count = count
        self.finish_reasons: dict[int, str] = {}
        self.closed = asyncio.Event()
        self._pieces: asyncio.Queue[tuple[int, str] | Exception | None] = asyncio.Queue()

    def send(self, number: int, piece: str) -> None:
        self._pieces.put_nowait((number, piece))

    def finish(self, *texts: str) -> None:
        for number, text in enumerate(texts):
            self.send(number, text)
            self.finish_reasons[number] = "stop"
        self._pieces.put_nowait(None)

    def fail(self, error: Exception) -> None:
        self._pieces.put_nowait(error)

    async def __aiter__(self) -> AsyncIterator[tuple[int, str]]:
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece


class ScriptedSource:
    """
    Opens a `ScriptedStream` for each place; `await source.opened(n)` waits for the n-th.

    Likewise `drawn(n)` for those of several answers.
    """

    def __init__(self) -> None:
        self.streams: list[ScriptedStream] = []
        self.others: list[ScriptedOthers] = []
        self._more = asyncio.Event()

    @asynccontextmanager
    async def __call__(self, place: Place, *, ahead: bool = False) -> AsyncIterator[ScriptedStream]:
        stream = ScriptedStream(place, ahead=ahead)
        self.streams.append(stream)
        with self._left(stream):
            yield stream

    @asynccontextmanager
    async def several(self, place: Place, count: int) -> AsyncIterator[ScriptedOthers]:
        stream = ScriptedOthers(place, count)
        self.others.append(stream)
        with self._left(stream):
            yield stream

    async def opened(self, count: int) -> ScriptedStream:
        return await self._at(self.streams, count)

    async def drawn(self, count: int) -> ScriptedOthers:
        return await self._at(self.others, count)

    async def _at(self, streams: list[_Stream], count: int) -> _Stream:
        while len(streams) < count:
            self._more.clear()
            await self._more.wait()
        return streams[count - 1]

    @contextmanager
    def _left(self, stream: ScriptedStream | ScriptedOthers) -> Iterator[None]:
        self._more.set()
        try:
            yield
        finally:
            stream.closed.set()
