"""The workloads that count an engine's forward passes, or look at its memory: ours only."""

import asyncio
import random
import time
from dataclasses import dataclass

from opencoder_lsp.bench.process import FreshEngine
from opencoder_lsp.bench.prompts import filler
from opencoder_lsp.bench.target import Timing
from opencoder_lsp.bench.workloads import Size, Tick
from opencoder_lsp.client.engine import CompletionRequest

_CHAT = 10  # priority
_COMPLETION_TOKENS = 16
_READ = 4  # pieces read before a client leaves
_WARM_REQUESTS = 0.1  # share of the requests after which memory is first looked at


@dataclass(frozen=True, slots=True)
class Cancelled:
    """
    What clients that leave cost: per client, the milliseconds from its leaving until nobody is at
    work, and the forward passes behind the last text that it read; the memory around all of them.

    `cached` of `prompt` tokens were found in the slot when the same prompt was asked for again.
    """

    milliseconds: list[float]
    steps: list[int]
    memory_before: int
    memory_after: int
    cached: int
    prompt: int


async def cancel(engine: FreshEngine, size: Size, tick: Tick) -> Cancelled:
    """Leave many answers early. For an engine without lookup, where a text is a step."""
    prompt = filler(32, 5000)
    await _leave(engine, prompt)  # everything has been done once before the memory is looked at
    before = engine.memory()
    left = []
    for _ in range(size.cancels):
        left.append(await _leave(engine, prompt))
        tick()
    after = engine.memory()
    again = await engine.server.ask(prompt, 1)
    seconds, steps = zip(*left, strict=True)
    milliseconds = [1000 * value for value in seconds]
    return Cancelled(milliseconds, list(steps), before, after, again.cached, len(prompt))


async def _leave(engine: FreshEngine, prompt: list[int]) -> tuple[float, int]:
    """Leave after some pieces; return the seconds until nothing is at work, and the late steps."""
    before = await engine.counters()
    request = CompletionRequest(prompt=prompt, max_tokens=200)
    read = 0
    async with engine.server.client.complete(request) as stream:
        async for _ in stream:
            read += 1
            if read == _READ:
                began = time.perf_counter()
                break
    after = await engine.until_idle()
    seconds = time.perf_counter() - began
    return seconds, int(after["steps_total"] - before["steps_total"]) - read


@dataclass(frozen=True, slots=True)
class Interruption:
    """
    What a completion waited for that came while a long prompt was computed.

    `chunks` of that prompt were begun between the asking and the first text; `seconds` passed
    then, and `chunk_seconds` in the chunk before.
    """

    chunks: int
    seconds: float
    chunk_seconds: float


async def interrupt(engine: FreshEngine, size: Size, tick: Tick) -> list[Interruption]:
    """
    Ask for completions while the engine computes the prompt of a chat, as long as it can be.

    For an engine without lookup. Each time the chat goes on where it was left; the list is shorter
    than asked for where its prompt ended too soon.
    """
    tokens = min(size.chat, engine.health.context_length - 64)
    seen = []
    for number in range(size.interruptions):
        one = await _interrupt(engine, filler(tokens, 6000), filler(24, 6001 + number))
        if one is None:
            break
        seen.append(one)
        tick()
    return seen


async def _interrupt(
    engine: FreshEngine, chat_prompt: list[int], prompt: list[int]
) -> Interruption | None:
    begun = (await engine.counters())["steps_total"]
    chat = asyncio.create_task(engine.server.ask(chat_prompt, 1, priority=_CHAT))
    try:
        since, at = await _after(engine, chat, begun + 2)
        before, now = await _after(engine, chat, since + 1)
        if chat.done():
            chat.result()  # raises what went wrong, if it was that
            return None
        asked, seconds = time.perf_counter(), 0.0
        request = CompletionRequest(prompt=prompt, max_tokens=_COMPLETION_TOKENS)
        async with engine.server.client.complete(request) as stream:
            async for _ in stream:
                # The chat waits for the completion's end, and is gone by then: what is counted
                # beside the completion's own passes came before its first.
                chat.cancel()
                seconds = seconds or time.perf_counter() - asked
    finally:
        chat.cancel()
        await asyncio.wait({chat})
    after = (await engine.until_idle())["steps_total"]
    chunks = int(after - before) - _COMPLETION_TOKENS
    return Interruption(chunks, seconds, (now - at) / (before - since))


async def _after(
    engine: FreshEngine, chat: "asyncio.Task[Timing]", steps: float
) -> tuple[float, float]:
    """Wait for a forward pass, or the chat's end; return how many there were, and when."""
    while (now := (await engine.counters())["steps_total"]) < steps and not chat.done():
        pass
    return now, time.perf_counter()


async def resident_growth(engine: FreshEngine, size: Size, tick: Tick) -> tuple[int, int]:
    """Return the memory after a tenth of many small requests, and after all; some are left."""
    chance = random.Random(7)
    before = 0
    for number in range(size.requests):
        if number == int(size.requests * _WARM_REQUESTS):
            before = engine.memory()
        # The first ones are the longest, so that memory for rows is in use from then on.
        length = 32 if number < 32 else chance.randint(4, 32)
        await engine.server.ask(filler(length, 10_000 + number), 2, leave=number % 10 == 9)
        tick()
    await engine.until_idle()
    return before, engine.memory()


async def kv_bytes(engine: FreshEngine, tick: Tick) -> tuple[int, int]:
    """
    Fill all slots but the first, which the engine's warm-up has used; return by how many bytes
    memory grew, and how many tokens were written. On a CPU only: a GPU's is reserved at once.
    """
    slots = int((await engine.counters())["slots"])
    length = engine.health.context_length - 1
    await engine.server.ask(filler(length, 7000), 1)
    before = engine.memory()
    for number in range(1, slots):
        await engine.server.ask(filler(length, 7000 + number), 1)
        tick()
    return engine.memory() - before, (slots - 1) * length
