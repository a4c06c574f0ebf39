"""
What the API adds to the engine, and how it bears crowds.

The engine is a real one around a model that only pretends: it does a step every so many seconds,
whatever runs.
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import psutil

from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from opencoder_lsp.client.sse import EventParser
from opencoder_lsp.models.registry import Model
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.api.process import ServeProcess
from tests.fakes.quick_engine import TEXT
from tests.loads.engines import QUICK, EngineProcess, running_engine

PROMPT = "def mean(values):\n" * 60  # some 400 tokens
STREAMS, EVENTS = 32, 200
CLIENTS, QUEUE, SLOTS = 200, 32, 8
_ROUNDS = 50


@dataclass(frozen=True)
class Streamed:
    """One answer: when it began and ended, in seconds from asking, and what it said."""

    status: int
    first: float
    total: float
    texts: Sequence[str] = ()

    @property
    def in_order(self) -> bool:
        """Whether it said all that the model did, and nothing twice."""
        said = "".join(self.texts)
        return (TEXT * EVENTS).startswith(said) and bool(said)


class Cpu:
    """Processor seconds that a process takes from now on."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._start = self._now()

    @property
    def seconds(self) -> float:
        """So far."""
        return self._now() - self._start

    def _now(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


async def ask(session: aiohttp.ClientSession, url: str, tokens: int) -> Streamed:
    """Stream an answer of the API."""
    messages = [{"role": "user", "content": PROMPT}]
    body: dict[str, Any] = {"messages": messages, "max_tokens": tokens, "stream": True}
    started = time.perf_counter()
    texts, first, parser = list[str](), 0.0, EventParser()
    async with session.post(f"{url}/chat/completions", json=body) as response:
        if response.status != 200:
            await response.read()
            return Streamed(response.status, 0, time.perf_counter() - started)
        async for part in response.content.iter_any():
            for event in parser.feed(part):
                if text := _text(event):
                    first = first or time.perf_counter() - started
                    texts.append(text)
    return Streamed(200, first, time.perf_counter() - started, texts)


def _text(event: str) -> str:
    before, found, rest = event.partition('"content":"')
    return "" if not found else rest.partition('"}')[0].encode().decode("unicode_escape")


async def direct(client: EngineClient, request: CompletionRequest) -> Streamed:
    """Stream the same answer of the engine."""
    started, first = time.perf_counter(), 0.0
    async with client.complete(request) as stream:
        async for text in stream:
            first = first or (time.perf_counter() - started if text else 0.0)
    return Streamed(200, first, time.perf_counter() - started)


@asynccontextmanager
async def served(
    engine: EngineProcess,
) -> AsyncIterator[tuple[ServeProcess, aiohttp.ClientSession]]:
    """Serve the API before an engine."""
    ours = {"OPENCODER_ENGINE_URL": engine.url, "OPENCODER_MODEL_NAME": str(engine.folder)}
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        ServeProcess({**os.environ, **ours}) as process,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        yield process, session


async def overhead(engine: EngineProcess) -> None:
    """Print what one request costs more than the engine's own, taking turns."""
    ids = Tokenizer.load(engine.folder).encode(PROMPT)
    client = EngineClient(engine.url)
    request = CompletionRequest(prompt=ids, max_tokens=1, temperature=1.0)
    async with served(engine) as (process, session):
        ours, theirs = list[float](), list[float]()
        for _ in range(_ROUNDS):
            theirs.append((await direct(client, request)).first)
            ours.append((await ask(session, process.url, 1)).first)
        print("a request of one token, until its text is there (medians, in turns)")
        own, api = statistics.median(theirs), statistics.median(ours)
        print(f"  the engine's own            {1000 * own:.1f} ms")
        print(f"  through the API             {1000 * api:.1f} ms (+ {1000 * (api - own):.1f} ms)")
    await client.close()


async def streams(engine: EngineProcess) -> None:
    """Print how many streams side by side fare."""
    async with served(engine) as (process, session):
        api, own = Cpu(process.pid), Cpu(engine.pid)
        started = time.perf_counter()
        asked = (ask(session, process.url, EVENTS) for _ in range(STREAMS))
        answers = await asyncio.gather(*asked)
        seconds = time.perf_counter() - started
        tokens, events = STREAMS * EVENTS, sum(len(answer.texts) for answer in answers)
        print(f"{STREAMS} streams of {EVENTS} tokens, all in order: {all_in_order(answers)}")
        print(f"  events, seconds             {events}, {seconds:.1f}")
        print(
            f"  processor time a token      {1e6 * api.seconds / tokens:.0f} µs in the API,", end=""
        )
        print(f" {1e6 * own.seconds / tokens:.0f} µs in the engine")


def all_in_order(answers: Sequence[Streamed]) -> bool:
    """Whether each of them was answered whole and in order."""
    return all(answer.status == 200 and answer.in_order for answer in answers)


async def crowd(engine: EngineProcess) -> None:
    """Print how many clients fare that come at once to a queue that is shorter."""
    async with served(engine) as (process, session):
        await ask(session, process.url, 1)
        asked = (ask(session, process.url, EVENTS) for _ in range(CLIENTS))
        answers = await asyncio.gather(*asked)
        refused = [answer for answer in answers if answer.status == 429]
        accepted = [answer for answer in answers if answer.status == 200]
        print(f"{CLIENTS} clients at once, {SLOTS} slots, a queue of {QUEUE}")
        print(f"  accepted, all of them whole {len(accepted)}, {all_in_order(accepted)}")
        waits = sorted(1000 * answer.total for answer in refused)
        print(f"  refused with 429            {len(refused)}", end="")
        if waits:
            print(f", after {statistics.median(waits):.0f} ms, the last after {waits[-1]:.0f} ms")
        print(f"  anything else               {CLIENTS - len(accepted) - len(refused)}")


def run(model: Model) -> None:
    """Print all figures."""
    kinds = ((overhead, SLOTS, 0.0), (streams, STREAMS, 0.01), (crowd, SLOTS, 0.01))
    for measure, slots, pace in kinds:
        arguments = [f"--set=engine.slots={slots}", f"--set=engine.queue={QUEUE}"]
        program = (*QUICK, "--pace", str(pace))
        with running_engine("api", program, model.folder, *arguments) as engine:
            asyncio.run(measure(engine))
