"""Engine processes that run for a while, and what they say of themselves."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from opencoder_lsp.client.engine import EngineClient
from tests.fakes import quick_engine
from tests.loads.processes import PAUSE, TIMEOUT, until

REAL = ("-m", "opencoder_lsp.engine")
QUICK = (quick_engine.__file__,)
_LINGER = 5  # seconds that an engine outlives these tests, should they be killed


@dataclass(frozen=True)
class EngineProcess:
    """An engine with a socket and a model of its own."""

    name: str
    pid: int
    socket: Path
    folder: Path

    @property
    def url(self) -> str:
        """Its address, for `engine.url`."""
        return f"unix:{self.socket}"


@contextmanager
def running_engine(
    name: str, program: Sequence[str], folder: Path, *arguments: str
) -> Iterator[EngineProcess]:
    """Run an engine, which may still be loading its model; it must then have ended with 0."""
    with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp") as place:
        path, log = Path(place) / "s", Path(place) / "log"
        command = [sys.executable, *program, "--model", str(folder), "--socket", str(path)]
        command += [f"--set=engine.linger={_LINGER}", *arguments]
        users = {name: text for name, text in os.environ.items() if "OPENCODER" not in name}
        env = {**users, "OPENCODER_HOME": place}
        with (
            log.open("w+") as output,
            subprocess.Popen(command, stderr=output, env=env) as process,
        ):
            try:
                with _lease(process, path):
                    yield EngineProcess(name, process.pid, path, folder)
                process.terminate()
                code = process.wait(TIMEOUT)
            finally:
                process.kill()
            output.seek(0)
            assert code == 0, output.read()


@contextmanager
def _lease(process: "subprocess.Popen[bytes]", path: Path) -> Iterator[None]:
    """Hold a lease, which this process cannot leave behind, whatever becomes of it."""
    end = time.monotonic() + TIMEOUT
    with socket.socket(socket.AF_UNIX) as connection:
        while connection.connect_ex(str(path)) != 0:
            assert process.poll() is None, "the engine ended while it started"
            assert time.monotonic() < end, "the engine does not listen"
            time.sleep(PAUSE)
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: engine\r\n\r\n")
        yield


@asynccontextmanager
async def connected(engine: EngineProcess) -> AsyncIterator[EngineClient]:
    """Give a client of an engine, once that has loaded its model."""
    client = EngineClient(engine.url)
    try:
        health = await until(client.health, lambda health: health.state != "loading")
        assert health.state == "ready", health
        yield client
    finally:
        await client.close()


async def until_idle(client: EngineClient) -> None:
    """Wait until the engine has no request."""
    await until(client.health, lambda health: not (health.running or health.waiting))


async def outcomes(client: EngineClient) -> Counter[str]:
    """Return how the engine's requests have ended so far."""
    return Counter((await client.activity()).requests)


async def until_ended(client: EngineClient, before: Counter[str], count: int) -> Counter[str]:
    """Wait until at least so many requests have ended since `before`; return how they did."""
    all_ended = await until(partial(outcomes, client), lambda now: (now - before).total() >= count)
    return all_ended - before
