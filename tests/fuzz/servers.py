"""Servers to play to: in this process, hundreds in a minute, or as they are."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch

from opencoder_lsp.lsp import server as server_module
from opencoder_lsp.lsp.conversion import make_converter
from opencoder_lsp.lsp.documents import Documents
from opencoder_lsp.lsp.framing import Frames, frame
from opencoder_lsp.lsp.server import Server, create_server
from opencoder_lsp.settings import Settings
from tests.fuzz.player import Wrong

# What the log says of a mistake that is our own.
OWN_MISTAKES = (
    "unforeseen",
    "in the background failed",
    "could not be handled",
    "reading from the client failed",
    "Traceback",
)
_PATIENCE = 10.0  # seconds
_START = 60.0  # seconds


@dataclass(frozen=True)
class Served:
    """A server at the other end of two streams."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    exited: "asyncio.Future[int]"
    documents: Callable[[], Documents] | None = None


class Kept(logging.Handler):
    """Keeps the lines of a log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(self.format(record))


def check_log(lines: list[str]) -> None:
    """Raise Wrong for a mistake of our own."""
    for line in lines:
        if any(words in line for words in OWN_MISTAKES):
            raise Wrong(f"a mistake in the log\n{line}")


# It takes a tenth of a second, and is never changed.
_converter = cache(make_converter)


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[Served]:
    """Serve in this event loop, over real pipes; raises Wrong for a mistake in the log."""
    loop = asyncio.get_running_loop()
    their_input, our_output = os.pipe()
    our_input, their_output = os.pipe()
    with (
        patch.object(server_module, "make_converter", _converter),
        patch.object(Server, "_end_at_last", lambda self, code: None),  # it would end us
        _kept_log() as lines,
    ):
        server = create_server(settings)
        serving = asyncio.create_task(server.serve(their_input, their_output))
        # The other end sees the end of the stream, as when a process has ended.
        serving.add_done_callback(lambda _: os.close(their_output))
        reader = await _reader(our_input)
        writer = await _writer(our_output)
        try:
            yield Served(reader, writer, serving, lambda: server.documents)
        finally:
            writer.close()
            server.stop(1)
            await asyncio.wait({serving}, timeout=_PATIENCE)
            await asyncio.to_thread(_join_reader_thread)
            os.close(their_input)
            loop.set_exception_handler(None)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
    check_log(lines)


@asynccontextmanager
async def as_process(env: dict[str, str]) -> AsyncIterator[Served]:
    """Serve in a process of its own, once it is up; raises Wrong for a mistake in the log."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "opencoder_lsp", stdin=pipe, stdout=pipe, stderr=pipe, env=env
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    log = asyncio.create_task(process.stderr.read())
    try:
        async with asyncio.timeout(_START):
            await _first_answer(process.stdout, process.stdin)
        yield Served(process.stdout, process.stdin, asyncio.create_task(process.wait()))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        said = (await log).decode()
    check_log(said.splitlines())


async def _first_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for something before the session, and wait until that is refused."""
    writer.write(frame({"jsonrpc": "2.0", "id": "up", "method": "$/up"}))
    frames, answers = Frames(), list[Any]()
    while not answers:
        data = await reader.read(1 << 16)
        assert data, "the server ended while it started"
        answers += frames.feed(data)


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    file = os.fdopen(descriptor, "rb", buffering=0)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    file = os.fdopen(descriptor, "wb", buffering=0)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, file)
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _join_reader_thread() -> None:
    """Wait for the thread that reads the pipe, which must not be closed before."""
    for thread in threading.enumerate():
        if thread.name == "lsp-stdin":
            thread.join(_PATIENCE)


@contextlib.contextmanager
def _kept_log() -> Iterator[list[str]]:
    """Give the lines of the server's log."""
    kept, log = Kept(), logging.getLogger("opencoder_lsp")
    log.addHandler(kept)
    try:
        yield kept.lines
    finally:
        log.removeHandler(kept)
