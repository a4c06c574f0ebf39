"""L7 and L13: several editors on one engine, and what they see of its death."""

import asyncio
import itertools
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.client.launcher import running_engines
from tests.loads.conftest import StartFront
from tests.loads.engines import EngineProcess, connected, outcomes, until_ended
from tests.loads.figures import Figures, percentile
from tests.loads.front import Front, insertion
from tests.loads.processes import TIMEOUT, kill, processes_with, until_gone
from tests.loads.quick import quick
from tests.loads.scale import SCALE

CODE = "def function_{0}(value):\n    return value + {0}\n"
CHAT_TOKENS = 40
PACE = 0.002  # seconds a token, so that there is something to die in
PATIENCE = 60.0  # seconds in which every request has to end, on whatever machine
REQUEST_FAILED = -32803
GAVE_UP = "is not started again until you restart it"
KEY_SECONDS = 0.05  # until somebody who got nothing asks again


async def type_and_complete(server: Front, number: int) -> float:
    """Type into an own document, completing after each edit; return the seconds of all of it."""
    server.open(CODE.format(number) * 10)
    began = time.perf_counter()
    for key in range(SCALE.completions):
        line = 2 * (key % 10) + 1  # elsewhere each time, so that no stream is taken over
        server.change(key + 2, insertion(line, 4, "x"))
        answer = await asyncio.wait_for(server.complete(line, 5), TIMEOUT)
        assert "error" not in answer, answer
    return time.perf_counter() - began


@pytest.mark.timeout(600)
async def test_several_servers_share_an_engine_without_an_error(
    front: StartFront, tiny_engine: EngineProcess, figures: Figures
) -> None:
    count = SCALE.servers * SCALE.completions
    async with connected(tiny_engine) as client, AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(front(tiny_engine)) for _ in range(SCALE.servers)
        ]
        for server in servers:
            await server.initialize()
            await server.ready()
        before = await outcomes(client)
        seconds = await asyncio.gather(
            *(type_and_complete(server, number) for number, server in enumerate(servers))
        )
        ended = await until_ended(client, before, count)
        assert [server.shown for server in servers] == [[]] * SCALE.servers
    assert ended.total() == count
    assert ended["failed"] == ended["refused"] == 0
    what = f"{SCALE.servers} servers × {SCALE.completions} completions"
    figures.add("L7", what, f"{max(seconds):.1f} s", "< 60 s")
    share = max(seconds) / min(seconds)
    figures.add("L7", "slowest beside fastest server", f"{share:.2f} ×", "≤ 3 ×")


class User:
    """Whoever sits before all the servers: restarts the engine in the first that asks for it."""

    def __init__(self) -> None:
        self.restarts = 0
        self._may = False

    def look(self) -> None:
        """Be ready for the next question."""
        self._may = True

    async def answer(self, server: Front) -> None:
        """Read what a server says, which cannot complete anything."""
        if self._may and GAVE_UP in server.status.get("message", ""):
            self._may = False
            self.restarts += 1
            answer = await asyncio.wait_for(server.command("restartEngine"), PATIENCE)
            assert answer["result"] == {}, answer


# A suggestion that was made once at a place is known there, engine or not.
LINES = 5000


class Load:
    """Completions and chats of one server, one after the other, until it is told to stop."""

    def __init__(self, server: Front, user: User) -> None:
        self.outcomes = Counter[str]()
        self.seconds: list[float] = []
        self.went_well = asyncio.Event()
        self._server = server
        self._user = user
        self._stopped = False

    def stop(self) -> None:
        """Make no more requests."""
        self._stopped = True

    async def run(self) -> None:
        """Ask and ask."""
        self._server.open("x = \n" * LINES)
        for number in itertools.count():
            if self._stopped:
                return
            if await self._one("chat" if number % 4 == 3 else "completion", number % LINES):
                self.went_well.set()
            else:
                await self._user.answer(self._server)
                await asyncio.sleep(KEY_SECONDS)

    async def _one(self, kind: str, line: int) -> bool:
        """Ask once; return whether there was a result."""
        say, complete = self._server.chat, self._server.complete
        request = say("Say something.") if kind == "chat" else complete(line, 4)
        began = time.perf_counter()
        answer = await asyncio.wait_for(request, PATIENCE)
        self.seconds.append(time.perf_counter() - began)
        self.outcomes[f"{kind}: {outcome(answer)}"] += 1
        return bool(answer.get("result"))


def outcome(answer: dict[str, Any]) -> str:
    """Name how a request has ended."""
    if "error" in answer:
        return str(answer["error"]["code"])
    return "nothing" if answer["result"] is None else "result"


async def kill_the_engine() -> int:
    """Kill the engine that runs and return its process id."""
    (engine,) = running_engines().values()
    kill(engine.pid)
    await until_gone(engine.pid)
    return engine.pid


async def until_all_is_well(loads: list[Load]) -> None:
    """Wait until every server has had a result from now on."""
    for load in loads:
        load.went_well.clear()
    async with asyncio.timeout(TIMEOUT):
        for load in loads:
            await load.went_well.wait()


@pytest.mark.timeout(600)
async def test_every_request_ends_however_often_the_engine_dies(
    tokenizer_folder: Path, home: Path, figures: Figures
) -> None:
    killed = list[int]()
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(quick(tokenizer_folder, home, pace=PACE))
            for _ in range(SCALE.servers)
        ]
        for server in servers:
            await server.initialize(settings={"chat": {"max_tokens": CHAT_TOKENS}})
            await server.ready()
        user = User()
        loads = [Load(server, user) for server in servers]
        async with asyncio.TaskGroup() as group:
            for load in loads:
                group.create_task(load.run())
            for _ in range(SCALE.kills):
                await asyncio.sleep(SCALE.kill_seconds)  # of load
                user.look()
                killed.append(await kill_the_engine())
                await until_all_is_well(loads)
            for load in loads:
                load.stop()
        assert all(set(server.answers.values()) == {1} for server in servers)
        (last,) = running_engines().values()
    await until_gone(last.pid)
    assert processes_with(str(home)) == []
    total, seconds = Counter[str](), list[float]()
    for load in loads:
        total += load.outcomes
        seconds += load.seconds
    known = {"result", "nothing", str(REQUEST_FAILED)}
    assert {name.partition(": ")[2] for name in total} <= known
    assert total["completion: result"] > 0
    assert len(set(killed)) == SCALE.kills
    what = f"{SCALE.kills} engines killed under the load of {SCALE.servers} servers"
    figures.add("L13", f"{what}: restarts by the user", str(user.restarts))
    figures.add("L13", "requests", ", ".join(f"{n} {name}" for name, n in sorted(total.items())))
    figures.add("L13", "longest request", f"{max(seconds):.1f} s", "< 20 s")
    figures.add("L13", "p95 of the requests", f"{percentile(seconds, 0.95):.2f} s")
