"""L3 and L10: whatever is cancelled or left leaves nothing behind in a real engine."""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from functools import partial

import pytest

from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from tests.loads.conftest import StartFront
from tests.loads.engines import EngineProcess, connected, outcomes, until_ended, until_idle
from tests.loads.figures import Figures
from tests.loads.front import Front
from tests.loads.processes import Resources, until
from tests.loads.scale import SCALE

CANCELLED = -32800
LINES = 97  # so that each request is at another place than the one before
AT_ONCE = 10
ENDLESS = 7000  # tokens
WARM_UP = 100  # streams, after which the engine has the memory that it works with
MOST_GROWTH = {"quick": 10e6, "tiny": 20e6}  # bytes; torch makes a kernel now and then


async def cancel_each_at_once(server: Front, ids: list[str]) -> "Counter[int | str]":
    """Ask for a completion and cancel it, for each id; return how often which code was answered."""
    requests = []
    for number, name in enumerate(ids):
        requests.append(server.complete(number % LINES, 8, request_id=name))
        server.cancel(name)
        if number % AT_ONCE == 0:  # else all are over before the engine has seen one
            await asyncio.sleep(0.03)
    answers = [await request for request in requests]
    return Counter(one["error"]["code"] if "error" in one else "result" for one in answers)


@pytest.mark.timeout(300)
async def test_requests_that_are_cancelled_at_once_are_answered_and_leave_the_engine_idle(
    front: StartFront, tiny_engine: EngineProcess, figures: Figures
) -> None:
    ids = [f"cancel-{number}" for number in range(SCALE.cancels)]
    async with connected(tiny_engine) as client, front(tiny_engine) as server:
        await server.initialize()
        await server.ready()
        server.open("value = compute(1)\n" * LINES)
        before = await outcomes(client)
        began = time.perf_counter()
        codes = await cancel_each_at_once(server, ids)
        answered = time.perf_counter()
        await until_idle(client)
        idle = time.perf_counter()
        ended = await outcomes(client) - before
        answer = await server.complete(5, 3)
        next_one = time.perf_counter() - idle
        assert "error" not in answer
        await until_ended(client, before, ended.total() + 1)
        assert [server.answers[name] for name in ids] == [1] * len(ids)
        assert server.shown == []
    assert codes.total() == SCALE.cancels
    assert set(codes) <= {CANCELLED, "result"}
    assert codes[CANCELLED] > SCALE.cancels / 2
    assert ended["failed"] == ended["refused"] == 0
    what = f"{SCALE.cancels} completions cancelled at once: all answered"
    figures.add("L3", what, f"{answered - began:.1f} s", "< 8 s")
    figures.add("L3", "of these, streams that the engine saw", str(ended.total()))
    idle_after = f"{(idle - answered) * 1e3:.0f} ms"
    figures.add("L3", "engine idle after the last answer", idle_after, "250 ms")
    figures.add("L3", "next completion", f"{next_one * 1e3:.0f} ms")


async def drop(client: EngineClient, dice: random.Random) -> bool:
    """Open an endless stream, leave it at some point, and return whether anything had come."""
    prompt = [dice.randrange(1, 250) for _ in range(dice.choice([5, 50, 400]))]
    priority = dice.choice([0, 10, 20])
    request = CompletionRequest(prompt=prompt, max_tokens=ENDLESS, priority=priority)
    seconds = dice.uniform(0, 0.05) if dice.random() < 0.3 else None  # after which it is left …
    most, pieces = dice.randint(1, 20), 0  # … or after so many pieces
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), client.complete(request) as stream:
            async for _ in stream:
                pieces += 1
                if pieces == most:
                    break
    return pieces > 0


async def drop_many(client: EngineClient, count: int, seed: int) -> int:
    """Open and leave so many streams, some at once; return of how many something had come."""
    dice, begun = random.Random(seed), 0
    for _ in range(count // AT_ONCE):
        begun += sum(await asyncio.gather(*(drop(client, dice) for _ in range(AT_ONCE))))
    await until_idle(client)
    return begun


@pytest.fixture(params=["quick", "tiny"])
def engine(request: pytest.FixtureRequest) -> EngineProcess:
    """Both engines: the one without torch, whose memory is its own, and the one with it."""
    process: EngineProcess = request.getfixturevalue(f"{request.param}_engine")
    return process


@pytest.mark.timeout(300)
async def test_streams_that_are_left_at_any_point_give_back_all_that_they_took(
    engine: EngineProcess, figures: Figures
) -> None:
    async with connected(engine) as client:
        await drop_many(client, WARM_UP, seed=0)
        before, ended = await Resources.of(engine.pid), await outcomes(client)
        began = time.perf_counter()
        begun = await drop_many(client, SCALE.drops, seed=1)
        seconds = time.perf_counter() - began
        ended = await outcomes(client) - ended
        # The last connections may be about to be closed.
        look = partial(Resources.of, engine.pid)
        after = await until(look, lambda now: now.files <= before.files)
        asked = time.perf_counter()
        async with client.complete(CompletionRequest(prompt=[5, 6, 7], max_tokens=4)) as stream:
            assert "".join([piece async for piece in stream])
        next_one = time.perf_counter() - asked
    assert set(ended) == {"cancelled"}
    assert begun <= ended["cancelled"] <= SCALE.drops
    # The pool that encodes prompts may grow by as many as there are requests at once.
    assert after.threads <= before.threads + AT_ONCE
    growth = after.memory - before.memory
    assert growth < MOST_GROWTH[engine.name]
    name = f"{engine.name} engine"
    what = f"{name}: {SCALE.drops} streams left anywhere, and idle"
    figures.add("L10", what, f"{seconds:.1f} s")
    figures.add("L10", f"{name}: growth of RSS", f"{growth / 1e6:.1f} MB", "< 10 MB")
    held, start = (f"{one.threads} and {one.files}" for one in (after, before))
    figures.add("L10", f"{name}: threads and files", held, f"≤ {start}")
    figures.add("L10", f"{name}: next request", f"{next_one * 1e3:.0f} ms", "< 1 s")
