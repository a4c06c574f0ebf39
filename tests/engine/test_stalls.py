"""Clients that stop reading their answer."""

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.engine import server
from opencoder_lsp.engine.core import Loaded, Report
from opencoder_lsp.engine.request import Params
from opencoder_lsp.engine.stream import BACKLOG, Stream
from opencoder_lsp.errors import EngineError
from tests.engine.conftest import Serve
from tests.fakes.runner import WAIT, FakeRunner, LetterDecoder, Letters, loaded

CONTEXT = 100_000


class LoudDecoder(LetterDecoder):
    """Makes so much of each token that a few hundred fill the buffers of a socket."""

    def push(self, id: int) -> str:
        return super().push(id) * 4000


class Loud(Letters):
    """See there."""

    def decoder(self) -> LetterDecoder:
        return LoudDecoder()


def load_loud(report: Report) -> Loaded:
    """Load an engine of one slot, which says a lot."""
    report(1.0)
    return replace(loaded(FakeRunner(slots=1), context=CONTEXT), vocabulary=Loud())


@pytest.fixture
def client(socket_path: Path) -> Iterator[socket.socket]:
    """A socket that connects when it asks, and reads only what it is told to."""
    with socket.socket(socket.AF_UNIX) as one:
        yield one


async def ask(client: socket.socket, path: Path, **body: Any) -> None:
    """Ask for a stream and read nothing of it."""
    data = json.dumps({"prompt": [1, 2, 3], "temperature": 0, "stream": True, **body}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, str(path))
    await loop.sock_sendall(client, head.encode() + data)


async def read(client: socket.socket, end: bytes) -> bytes:
    """Read until `end` has come, or the connection has ended."""
    loop, read = asyncio.get_running_loop(), bytearray()
    async with asyncio.timeout(WAIT):
        while end not in read[-1000:]:
            part = await loop.sock_recv(client, 1 << 16)
            if not part:
                break
            read += part
    return bytes(read)


@pytest.mark.fault("F48")
async def test_a_reader_that_falls_far_behind_is_cancelled_and_its_slot_is_free(
    served: Serve, socket_path: Path, client: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(load=load_loud) as engine:
        await ask(client, socket_path, max_tokens=CONTEXT)
        await engine.cancelled.wait()
        await engine.until_unfinished(0)
        assert engine.status.totals["requests_cancelled"] == 1
        assert f"its reader has fallen {BACKLOG} tokens behind" in caplog.text
        await engine.ask(max_tokens=2)
        late = await read(client, b"fallen")  # what it gets when it reads on
        assert b'{"error":{"message":"the reader of the answer has fallen' in late
        assert b"[DONE]" not in late


@pytest.mark.fault("F48")
async def test_no_more_than_the_backlog_is_held_for_a_reader(served: Serve) -> None:
    async with served(load=load_loud) as engine:
        stream = Stream(engine.engine, [1, 2], Params(max_tokens=CONTEXT))
        await engine.cancelled.wait()
        await engine.until_unfinished(0)
        assert stream._events.qsize() == BACKLOG + 2  # with the one too many, and the error
        with pytest.raises(EngineError, match="fallen"):
            _ = [piece async for piece in stream]


async def test_a_reader_that_reads_loses_nothing_however_much_it_is(served: Serve) -> None:
    async with served(FakeRunner(), load=load_loud) as engine:
        stream = Stream(engine.engine, [1, 2], Params(max_tokens=2 * BACKLOG))
        said = sum([len(piece.text) async for piece in stream])
        assert said == 2 * BACKLOG * 4000


@pytest.mark.fault("F48")
async def test_a_client_that_does_not_read_is_hung_up_on_and_keeps_no_engine_alive(
    served: Serve,
    socket_path: Path,
    client: socket.socket,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server._Protocol, "stall_seconds", 0.05)
    async with served(load=load_loud, linger=0.05) as engine:
        await ask(client, socket_path, max_tokens=1000)  # far less than the backlog
        async with asyncio.timeout(WAIT):
            await engine.task
        assert "closed a connection: its client has not read for 0.05 s" in caplog.text
        assert engine.engine.unfinished == 0
        assert b"[DONE]" not in await read(client, b"[DONE]")


@pytest.mark.fault("F48")
async def test_a_client_that_reads_on_gets_all_of_its_answer(
    served: Serve, socket_path: Path, client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[server._Protocol] = []
    stalled = asyncio.Event()
    pause = server._Protocol.pause_writing

    def note(self: server._Protocol) -> None:
        pause(self)
        paused.append(self)
        stalled.set()

    monkeypatch.setattr(server._Protocol, "pause_writing", note)
    async with served(load=load_loud) as engine:
        await ask(client, socket_path, max_tokens=1000)
        await stalled.wait()
        timer = paused[0]._stalled
        assert timer is not None
        assert (await read(client, b"[DONE]")).count(b"a" * 4000) == 1000 // 26 + 1
        assert timer.cancelled()
        assert paused[-1]._stalled is None
        await engine.until_unfinished(0)
