"""The two pipes to the client: bounded, in order, and noticed when they are closed."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.lsp import stdio
from opencoder_lsp.lsp.framing import Frames, Malformed, frame
from opencoder_lsp.lsp.stdio import CHUNK, Reader, Writer


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading and the writing end of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):  # closed by the test
            os.close(end)


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.close(descriptor)


async def test_messages_are_read_in_order_until_the_end(pipe: tuple[int, int]) -> None:
    reader = Reader(pipe[0])
    reader.start()
    data = b"".join(map(frame, range(300)))
    writing = asyncio.to_thread(write_all, pipe[1], data)
    task = asyncio.create_task(writing)
    assert [item async for item in reader] == list(range(300))
    await task


@pytest.mark.fault("F22")
async def test_no_more_is_read_than_can_be_handled(pipe: tuple[int, int]) -> None:
    reader = Reader(pipe[0], limit=0)
    reader.start()
    message = "x" * 40_000
    task = asyncio.create_task(asyncio.to_thread(write_all, pipe[1], frame(message) * 100))
    unhandled = []
    async for item in reader:
        assert item == message
        unhandled.append(reader.unhandled)
    assert len(unhandled) == 100
    assert max(unhandled) < 2 * CHUNK
    await task


async def test_what_came_before_a_stream_broke_is_handled(pipe: tuple[int, int]) -> None:
    reader = Reader(pipe[0])
    reader.start()
    os.write(pipe[1], frame(1) + b"noise\r\n" + frame(2) + b"Content-Length: 99999999999\r\n\r\n")
    items = [item async for item in reader]
    assert [items[0], items[2]] == [1, 2]
    assert isinstance(items[1], Malformed)


async def test_a_reader_that_fails_ends_instead_of_falling_silent(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(frames: Frames, data: bytes) -> Iterator[object]:
        yield 1
        raise MemoryError("secret")

    monkeypatch.setattr(Frames, "feed", fail)
    reader = Reader(pipe[0])
    reader.start()
    os.write(pipe[1], b"anything")
    assert [item async for item in reader] == [1]
    assert "MemoryError" in caplog.text
    assert "secret" not in caplog.text


class Failure:
    """Notes that a writer has failed."""

    def __init__(self) -> None:
        self.noted = asyncio.Event()
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self.noted.set()


async def test_what_is_written_arrives_in_order_however_late_it_is_read(
    pipe: tuple[int, int],
) -> None:
    failure = Failure()
    writer = Writer(pipe[1], failure)
    writer.start()
    for number in range(2000):
        writer.write(frame([number, "x" * 500]))

    def read() -> list[Any]:
        frames, found = Frames(), list[Any]()
        while len(found) < 2000:
            found += frames.feed(os.read(pipe[0], CHUNK))
        return found

    assert [item[0] for item in await asyncio.to_thread(read)] == list(range(2000))
    writer.close(10)
    assert failure.count == 0


@pytest.mark.fault("F21")
async def test_a_closed_pipe_is_noticed_with_nothing_to_write(pipe: tuple[int, int]) -> None:
    failure = Failure()
    Writer(pipe[1], failure).start()
    os.close(pipe[0])
    await failure.noted.wait()


@pytest.mark.fault("F21")
async def test_a_closed_socket_is_noticed_and_a_half_closed_one_is_still_written_to() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        failure = Failure()
        writer = Writer(ours.fileno(), failure)
        writer.start()
        theirs.shutdown(socket.SHUT_WR)
        writer.write(b"still there")
        assert await asyncio.to_thread(theirs.recv, 100) == b"still there"
        assert failure.count == 0
        writer.close(10)
    ours, theirs = socket.socketpair()
    with ours:
        failure = Failure()
        Writer(ours.fileno(), failure).start()
        theirs.close()
        await failure.noted.wait()


@pytest.mark.fault("F22")
async def test_a_client_that_does_not_read_for_too_long_counts_as_gone(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stdio, "_UNREAD_LIMIT", 1 << 20)
    failure = Failure()
    writer = Writer(pipe[1], failure)
    writer.start()
    for _ in range(50):
        writer.write(b"x" * 100_000)
    await failure.noted.wait()
    assert failure.count == 1
    assert "does not read" in caplog.text


async def test_a_pipe_closed_in_mid_message_is_one_failure(pipe: tuple[int, int]) -> None:
    failure = Failure()
    writer = Writer(pipe[1], failure)
    writer.start()
    writer.write(b"x" * 1_000_000)
    await asyncio.to_thread(os.read, pipe[0], 10)
    os.close(pipe[0])
    await failure.noted.wait()
    writer.write(b"more")
    writer.close(10)
    assert failure.count == 1


async def test_a_file_can_be_written_to(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    failure = Failure()
    writer = Writer(descriptor, failure)
    writer.start()
    writer.write(b"text")
    writer.close(10)
    os.close(descriptor)
    assert (tmp_path / "out").read_bytes() == b"text"
    assert failure.count == 0
