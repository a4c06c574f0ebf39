"""L9 and L11: more clients than the engine's queue takes, and clients that do not read."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from opencoder_lsp.errors import EngineBusyError
from tests.engine.conftest import Serve
from tests.fakes.runner import FakeRunner
from tests.loads.engines import EngineProcess, connected, outcomes, until_ended
from tests.loads.figures import Figures, percentile
from tests.loads.processes import TIMEOUT, Resources
from tests.loads.scale import SCALE

CLIENTS, QUEUE, SLOTS = 200, 32, 4
REQUEST = CompletionRequest(prompt=[1, 2, 3], max_tokens=50)
STALLED, NORMAL = 4, 4
ENDLESS = 50_000  # tokens; more than the engine holds for a client that does not read
MOST_GROWTH = 16e6  # bytes
LAG_PERIOD = 0.005  # seconds


@asynccontextmanager
async def lags() -> AsyncIterator[list[float]]:
    """Give a list that fills with the seconds by which the event loop is late."""
    found = list[float]()

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(LAG_PERIOD)
            found.append(time.perf_counter() - began - LAG_PERIOD)

    task = asyncio.create_task(watch())
    try:
        yield found
    finally:
        task.cancel()


async def test_a_crowd_is_refused_at_once_but_for_those_that_fit(
    served: Serve, socket_path: Path, figures: Figures
) -> None:
    runner = FakeRunner(slots=SLOTS)
    texts, refusals = list[str](), list[float]()
    client = EngineClient(f"unix:{socket_path}")
    full = asyncio.Event()

    async def ask() -> None:
        began = time.perf_counter()
        try:
            async with client.complete(REQUEST) as stream:
                texts.append("".join([piece async for piece in stream]))
        except EngineBusyError:
            refusals.append(time.perf_counter() - began)
            if len(refusals) == CLIENTS - SLOTS - QUEUE:
                full.set()

    runner.pause()  # nobody gets on before all have come
    async with served(runner, queue=QUEUE), lags() as late:
        crowd = [asyncio.create_task(ask()) for _ in range(CLIENTS)]
        async with asyncio.timeout(TIMEOUT):
            await full.wait()
            runner.release()
            await asyncio.gather(*crowd)
    await client.close()
    assert len(refusals) == CLIENTS - SLOTS - QUEUE
    assert len(texts) == SLOTS + QUEUE
    assert {len(text) for text in texts} == {REQUEST.max_tokens}
    what = f"{CLIENTS} clients, a queue of {QUEUE}: refusals p99"
    # The clients are in the engine's process here, so their own work counts, too.
    figures.add("L9", what, f"{percentile(refusals, 0.99) * 1e3:.0f} ms", "< 200 ms")
    late_by = f"{percentile(late, 0.99) * 1e3:.0f} ms"
    figures.add("L9", "lag of the event loop, p99", late_by, "< 100 ms")


def ask_and_read_nothing(connection: socket.socket, path: Path) -> None:
    """Ask for an endless stream over a socket."""
    body = {"prompt": [1, 2, 3], "temperature": 0, "stream": True, "max_tokens": ENDLESS}
    data = json.dumps(body).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.connect(str(path))
    connection.sendall(head.encode() + data)


async def normal_requests(client: EngineClient) -> list[float]:
    """Return the seconds that each request of some clients takes, who read what they get."""
    seconds = list[float]()

    async def ask_on() -> None:
        for _ in range(SCALE.stalled_requests):
            began = time.perf_counter()
            async with client.complete(REQUEST) as stream:
                assert "".join([piece async for piece in stream])
            seconds.append(time.perf_counter() - began)

    await asyncio.gather(*(ask_on() for _ in range(NORMAL)))
    return seconds


@pytest.mark.timeout(300)
async def test_clients_that_do_not_read_are_cut_off_and_harm_nobody(
    quick_engine: EngineProcess, figures: Figures
) -> None:
    async with connected(quick_engine) as client:
        await normal_requests(client)  # after which the engine has the memory that it works with
        alone = await normal_requests(client)
        before = await outcomes(client)
        memory = (await Resources.of(quick_engine.pid)).memory
        with ExitStack() as stack:
            for _ in range(STALLED):
                connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                ask_and_read_nothing(connection, quick_engine.socket)
            beside = await normal_requests(client)
            began = time.perf_counter()
            ended = await until_ended(client, before, STALLED + len(beside))
            cut = time.perf_counter() - began
            growth = (await Resources.of(quick_engine.pid)).memory - memory
    assert ended == {"cancelled": STALLED, "length": len(beside)}
    assert growth < MOST_GROWTH
    p95 = percentile(beside, 0.95) / percentile(alone, 0.95)
    figures.add("L11", f"{NORMAL} readers beside {STALLED} stalled ones: p95", f"{p95:.2f} ×")
    figures.add("L11", "cut off so long after the readers' end", f"{cut:.1f} s")
    figures.add("L11", "growth of the engine's RSS", f"{growth / 1e6:.1f} MB", "< 16 MB")
