"""L12: a while of ordinary use with a real engine, and how things are afterwards."""

import asyncio
import random
import time
from typing import Any

import psutil
import pytest

from tests.loads.conftest import StartFront
from tests.loads.engines import EngineProcess, connected, outcomes, until_idle
from tests.loads.figures import Figures
from tests.loads.front import Front, insertion
from tests.loads.processes import TIMEOUT
from tests.loads.scale import SCALE

CANCELLED = -32800
RATE = 5  # requests a second
CANCELLED_SHARE = 0.3
LINES = 20
MB = 1e6

Points = list[tuple[float, int]]  # seconds, and resident bytes


async def use(server: Front, memory: dict[int, Points]) -> list[dict[str, Any]]:
    """Type, complete and cancel for a while; note the memory of processes once a second."""
    dice, answers = random.Random(12), []
    began = time.perf_counter()
    for number in range(int(SCALE.soak_seconds * RATE)):
        line = dice.randrange(LINES)
        server.change(number + 2, insertion(line, 4, dice.choice("abc")))
        name = f"soak-{number}"
        answers.append(server.complete(line, 5, request_id=name))
        await asyncio.sleep(max(0.0, began + (number + 1) / RATE - time.perf_counter()))
        if dice.random() < CANCELLED_SHARE:
            server.cancel(name)
        if number % RATE == 0:
            for pid, points in memory.items():
                rss = psutil.Process(pid).memory_info().rss
                points.append((time.perf_counter() - began, rss))
    return [await asyncio.wait_for(answer, TIMEOUT) for answer in answers]


def slope(points: Points) -> float:
    """Return the bytes a minute by which memory grows in the second half of a time."""
    late = points[len(points) // 2 :]
    (x0, y0), (x1, y1) = late[0], late[-1]
    return 60 * (y1 - y0) / max(x1 - x0, 1e-9)


@pytest.mark.timeout(400)
async def test_a_while_of_use_leaves_no_request_and_no_memory_behind(
    front: StartFront, tiny_engine: EngineProcess, figures: Figures
) -> None:
    async with connected(tiny_engine) as client, front(tiny_engine) as server:
        await server.initialize()
        await server.ready()
        server.open("    value = compute(1)\n" * LINES)
        names = {"server": server.process.pid, "engine": tiny_engine.pid}
        memory: dict[int, Points] = {pid: [] for pid in names.values()}
        before = await outcomes(client)
        answers = await use(server, memory)
        await until_idle(client)
        ended = await outcomes(client) - before
        errors = {answer["error"]["code"] for answer in answers if "error" in answer}
        assert errors <= {CANCELLED}
        assert set(server.answers.values()) == {1}
        assert server.unanswered == 0
        assert server.shown == []
        assert ended["failed"] == ended["refused"] == 0
        assert ended.total() > 0
    shown = sum(bool(answer.get("result")) for answer in answers)
    what = f"{SCALE.soak_seconds:g} s at {RATE} requests a second"
    figures.add("L12", what, f"{len(answers)} answered, {shown} shown, {dict(ended)}")
    for name, pid in names.items():
        growth = f"{slope(memory[pid]) / MB:.1f} MB a minute"
        figures.add("L12", f"growth of the {name}'s RSS, second half", growth, "< 2 MB")
