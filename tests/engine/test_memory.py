"""The memory of a process that has answered thousands of requests is that of one that begins."""

import asyncio
import contextvars
import gc
import random
import threading
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
import torch

from opencoder_lsp.engine import server
from opencoder_lsp.engine.core import Loaded, Report
from opencoder_lsp.engine.healing import PrefixIndex
from tests.engine.conftest import Serve, Served
from tests.engine.test_runner import VOCABULARY, make_runner
from tests.fakes.checkpoints import CONTEXT, make_model
from tests.fakes.runner import LETTERS, WAIT

FIRST, MANY = 400, 2000  # requests
AT_ONCE = 8
THREADS = 4  # of the loop's executor


@asynccontextmanager
async def tiny(served: Serve) -> AsyncIterator[Served]:
    """Serve a tiny model over a Unix socket, as the process would."""
    model = Loaded(
        runner=make_runner(make_model(vocab_size=VOCABULARY)),
        vocabulary=LETTERS,
        prefixes=PrefixIndex(LETTERS, VOCABULARY),
        vocab_size=VOCABULARY,
        context_length=CONTEXT,
        chunk=64,
        prompt_tokens_auto=128,
        device="cpu",
        dtype="float32",
    )

    def load(report: Report) -> Loaded:
        report(1.0)
        return model

    async with served(load=load, queue=100) as engine:
        yield engine


def body(chance: random.Random) -> dict[str, Any]:
    """Make a small request of any kind."""
    return {
        "prompt": [chance.randrange(256) for _ in range(chance.choice([3, 20, 60]))],
        "max_tokens": chance.choice([0, 1, 3, 6]),
        "temperature": chance.choice([0, 0, 1]),
        "seed": chance.randrange(1000),
        "n": chance.choice([1, 1, 1, 2]),
        "logprobs": chance.choice([None, 2]),
        "presence_penalty": chance.choice([0, 1]),
        "priority": chance.choice([0, 10, 20]),
        "stream": chance.choice([False, True]),
    }


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> set[server._Protocol]:
    """Those that the server holds open."""
    found: set[server._Protocol] = set()
    made, lost = server._Protocol.connection_made, server._Protocol.connection_lost

    def note_made(self: server._Protocol, transport: asyncio.Transport) -> None:
        found.add(self)
        made(self, transport)

    def note_lost(self: server._Protocol, error: Exception | None) -> None:
        found.discard(self)
        lost(self, error)

    monkeypatch.setattr(server._Protocol, "connection_made", note_made)
    monkeypatch.setattr(server._Protocol, "connection_lost", note_lost)
    return found


async def start_threads() -> None:
    """Start all threads that prompts are encoded in, each of which has memory of its own."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    barrier = threading.Barrier(THREADS)
    await asyncio.gather(*(asyncio.to_thread(barrier.wait, WAIT) for _ in range(THREADS)))


async def send(path: Path, count: int, chance: random.Random) -> None:
    """Send so many requests, some at once, and leave some before their end."""
    connector = aiohttp.UnixConnector(str(path), limit=0)
    async with aiohttp.ClientSession("http://engine", connector=connector) as session:

        async def one_after_the_other() -> None:
            for _ in range(count // AT_ONCE):
                async with session.post("/v1/completions", json=body(chance)) as response:
                    assert response.status == 200
                    if chance.random() < 0.9:
                        await response.read()

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


async def until_quiet(
    engine: Served, connections: Collection[server._Protocol], tasks: int
) -> None:
    """Return when nothing is left of the requests, which may end a little later than answers."""
    async with asyncio.timeout(WAIT):
        await engine.until_unfinished(0)
        # It asks on a connection of its own, which stays.
        while len(connections) > 1 or len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def memory() -> tuple[int, int, int]:
    """Return the process's resident bytes, and the numbers of its objects and tensors."""
    gc.collect()
    # A loop forgets cancelled timers, which hold nothing but their contexts, a hundred at a time.
    timers = (asyncio.TimerHandle, contextvars.Context)
    objects = [one for one in gc.get_objects() if type(one) not in timers]
    # By the type alone: to some objects of other libraries `isinstance` is a reason to import.
    tensors = sum(issubclass(type(one), torch.Tensor) for one in objects)
    return psutil.Process().memory_info().rss, len(objects), tensors


@pytest.mark.fault("F47")
@pytest.mark.timeout(400)
async def test_memory_is_the_same_before_and_after_2000_requests(
    served: Serve, socket_path: Path, connections: set[server._Protocol]
) -> None:
    chance = random.Random(0)
    await start_threads()
    async with tiny(served) as engine:
        await engine.until_unfinished(0)
        idle = len(asyncio.all_tasks())
        await send(socket_path, FIRST, chance)
        await until_quiet(engine, connections, idle)
        memory()  # the first look fills caches
        before = memory()
        await send(socket_path, MANY, chance)
        await until_quiet(engine, connections, idle)
        after = memory()
        assert engine.status.totals["requests_failed"] == 0
        assert engine.status.totals["requests_cancelled"] > 0
    # Now and then the allocator takes 8 MB more, once, of 450.
    assert after[0] <= 1.03 * before[0]
    assert after[1] <= before[1] + MANY / 10  # not one object for each tenth request
    assert after[2] <= before[2] + MANY / 100
