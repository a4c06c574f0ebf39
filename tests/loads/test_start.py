"""L1, L14 and L16: what starting costs, who starts the engine, and what runs when nothing does."""

import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from opencoder_lsp.client.launcher import running_engines
from tests.fakes.engine import FakeEngine
from tests.loads.conftest import StartFront
from tests.loads.engines import EngineProcess
from tests.loads.figures import Figures
from tests.loads.front import Front
from tests.loads.processes import processes_with, until_gone
from tests.loads.quick import quick, starts_file
from tests.loads.scale import SCALE

STARTS = 2 + 3 * SCALE.rounds
MB = 1e6
# Bytes; well above the goals that are printed, since libraries grow.
MOST_AT_INITIALIZE, MOST_AFTER_COMPLETION = 90 * MB, 160 * MB


def has_torch(process: psutil.Process) -> bool:
    return any("libtorch" in mapping.path for mapping in process.memory_maps())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which libraries are loaded")
async def test_a_server_is_small_and_has_no_torch(
    front: StartFront, fake: FakeEngine, model_folder: Path, figures: Figures
) -> None:
    seconds, at_initialize, after_completion = list[float](), list[int](), list[int]()
    for _ in range(STARTS):
        began = time.perf_counter()
        async with front(folder=model_folder) as server:
            await server.initialize()
            seconds.append(time.perf_counter() - began)
            at_initialize.append(server.usage.memory_info().rss)
            await server.ready()
            server.open("x = ")
            assert (await server.complete(0, 4))["result"]["items"]
            after_completion.append(server.usage.memory_info().rss)
            assert not has_torch(server.usage)
    initialized = f"median {statistics.median(seconds):.2f} s, best {min(seconds):.2f} s"
    figures.add("L1", f"spawn to initialize answer, {STARTS} starts", initialized, "≤ 0.8 s")
    for what, sizes, goal in (
        ("RSS at the initialize answer", at_initialize, 70),
        ("RSS after the first completion", after_completion, 140),
    ):
        figures.add("L1", what, f"{max(sizes) / MB:.0f} MB", f"≤ {goal} MB")
    assert max(at_initialize) < MOST_AT_INITIALIZE
    assert max(after_completion) < MOST_AFTER_COMPLETION


async def attach(server: Front) -> int:
    """Open a session, wait for the engine, use it, and return its process id."""
    await server.initialize()
    await server.ready()
    server.open("x = ")
    assert (await server.complete(0, 4))["result"]["items"]
    status = (await server.command("status"))["result"]
    return int(status["engine"]["health"]["pid"])


@pytest.mark.parametrize("number", range(SCALE.cold_rounds))
@pytest.mark.timeout(300)
async def test_servers_that_start_at_once_start_one_engine(
    tokenizer_folder: Path, home: Path, figures: Figures, number: int
) -> None:
    began = time.perf_counter()
    async with AsyncExitStack() as stack:
        servers = await asyncio.gather(
            *(
                stack.enter_async_context(quick(tokenizer_folder, home))
                for _ in range(SCALE.cold_servers)
            )
        )
        engines = await asyncio.gather(*(attach(server) for server in servers))
        seconds = time.perf_counter() - began
        started = [int(pid) for pid in starts_file(home).read_text().split()]
        assert started == [engines[0]]
        assert set(engines) == set(started)
        assert [engine.pid for engine in running_engines().values()] == started
        assert [server.shown for server in servers] == [[]] * len(servers)
    await until_gone(started[0])
    assert processes_with(str(home)) == []
    what = f"{SCALE.cold_servers} cold servers, round {number + 1}: all attached to one engine"
    figures.add("L14", what, f"{seconds:.1f} s", "< 10 s")


@pytest.mark.timeout(300)
async def test_a_server_and_an_engine_that_nobody_uses_rest_and_have_no_sockets_to_anywhere(
    front: StartFront, tiny_engine: EngineProcess, figures: Figures
) -> None:
    async with front(tiny_engine) as server:
        await server.initialize()
        await server.ready()
        server.open("x = ")
        await server.complete(0, 4)
        processes = {"language server": server.usage, "engine": psutil.Process(tiny_engine.pid)}
        await asyncio.sleep(1)  # for what the completion left to be done
        before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
        began = time.perf_counter()
        await asyncio.sleep(SCALE.idle_seconds)
        seconds = time.perf_counter() - began
        for name, process in processes.items():
            share = (sum(process.cpu_times()[:2]) - before[name]) / seconds
            figures.add("L16", f"idle {name}, {seconds:.0f} s", f"{share:.2%} of a core", "< 1 %")
            assert process.net_connections(kind="inet") == []
            memory = process.memory_info().rss / MB
            figures.add("L16", f"RSS of the idle {name}", f"{memory:.0f} MB")
