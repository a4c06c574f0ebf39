"""
The workloads that every engine can do, ours and others. Targets take turns, round by round, so
that what else the machine does meets them all; `settle` is awaited before each turn.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from opencoder_lsp.bench.prompts import filler, fillers
from opencoder_lsp.bench.target import Target, Timing
from opencoder_lsp.bench.trace import Key

Tick = Callable[[], None]  # called as work goes on
Settle = Callable[[], Awaitable[None]]
Figures = dict[str, float]  # by the name of the target

TYPED_TOKENS = 16
_STREAM_PROMPT = 32  # tokens
# A target that computes every prompt anew is asked at one of so many keys.
_SAMPLED = 6


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: tokens, rounds, requests."""

    prefill: int = 1024
    decode: int = 64
    rounds: int = 5
    streams: int = 8
    keys: int | None = None  # all of the trace
    cancels: int = 100
    chat: int = 8128  # tokens of the long prompt, or as many as fit
    interruptions: int = 5
    requests: int = 2000
    kv_context: int = 2048


# For a test that the code still works; its figures mean nothing.
QUICK = Size(32, 4, 1, 2, 6, 3, 8000, 2, 40, 200)


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a key press cost one target; the total is None where the typist went on."""

    number: int
    target: str
    extends: bool
    first: float
    total: float | None


async def at_once() -> None:
    """Let the next target begin at once."""


async def warm_up(targets: Sequence[Target]) -> None:
    """Let every target do everything once."""
    for target in targets:
        await target.ask(filler(64, 900), 8)


async def prefill(
    targets: Sequence[Target], size: Size, tick: Tick, settle: Settle = at_once
) -> Figures:
    """Return prompt tokens per second, best of the rounds; each prompt is new."""
    seconds: dict[str, list[float]] = {target.name: [] for target in targets}
    for seed in range(size.rounds):
        for target in targets:
            await settle()
            timing = await target.ask(filler(size.prefill, 1000 + seed), 1)
            seconds[target.name].append(timing.total)
            tick()
    return {name: size.prefill / min(all) for name, all in seconds.items()}


async def decode(
    targets: Sequence[Target],
    prompt: list[int],
    size: Size,
    tick: Tick,
    settle: Settle = at_once,
) -> Figures:
    """Return tokens per second behind the first token of a greedy answer, best of the rounds."""
    speeds: dict[str, list[float]] = {target.name: [] for target in targets}
    for _ in range(size.rounds):
        for target in targets:
            await settle()
            timing = await target.ask(prompt, size.decode + 1)
            speeds[target.name].append(timing.speed)
            tick()
    return {name: max(all) for name, all in speeds.items()}


async def streams(
    targets: Sequence[Target], count: int, size: Size, tick: Tick, settle: Settle = at_once
) -> Figures:
    """Return tokens per second of `count` answers at once, all together, from asking on."""
    speeds: dict[str, list[float]] = {target.name: [] for target in targets}
    for seed in range(size.rounds):
        for target in targets:
            await settle()
            prompts = fillers(count, _STREAM_PROMPT, 200 + seed)
            began = time.perf_counter()
            await asyncio.gather(*(target.ask(prompt, size.decode) for prompt in prompts))
            speeds[target.name].append(count * size.decode / (time.perf_counter() - began))
            tick()
    return {name: max(all) for name, all in speeds.items()}


async def typing(
    targets: Sequence[Target],
    keys: Sequence[tuple[Key, list[int]]],
    tick: Tick,
    settle: Settle = at_once,
) -> list[Pressed]:
    """
    Ask for 16 tokens at each key; where the typist is hasty, leave behind the first text.

    The targets take turns at each pause of the typist.
    """
    pressed = list[Pressed]()
    for number, burst in enumerate(_bursts(keys)):
        for target in targets:
            await settle()
            if target.reuses:
                pressed += [await _press(target, *key) for key in burst]
            elif number % _SAMPLED == 0:
                pressed.append(await _press(target, *burst[-1]))
            tick()
    return pressed


def pauses(keys: Sequence[tuple[Key, list[int]]]) -> int:
    """Return how often `typing` calls its tick for one target."""
    return len(list(_bursts(keys)))


def _bursts(
    keys: Sequence[tuple[Key, list[int]]],
) -> Iterator[list[tuple[int, Key, list[int]]]]:
    """Yield the numbered keys that follow each other without a pause, group by group."""
    group: list[tuple[int, Key, list[int]]] = []
    for number, (key, prompt) in enumerate(keys):
        group.append((number, key, prompt))
        if not key.hasty or number == len(keys) - 1:
            yield group
            group = []


async def _press(target: Target, number: int, key: Key, prompt: list[int]) -> Pressed:
    leave = key.hasty and target.reuses
    timing: Timing = await target.ask(prompt, TYPED_TOKENS, leave=leave)
    total = None if leave else timing.total
    return Pressed(number, target.name, key.extends, timing.first, total)


@dataclass(frozen=True, slots=True)
class Typed:
    """
    Seconds at the keys of a trace, medians, for one target; 0 where there was no such key.

    `first` and `total` are of keys that add a token, `slowest_first` is the 95th percentile of
    these; `moved_first` is of keys that came after a move or changed something.
    """

    first: float
    total: float
    slowest_first: float
    moved_first: float

    @classmethod
    def of(cls, pressed: Sequence[Pressed], target: str) -> "Typed":
        """Sum up what was measured of a target. The first key, which computes all, is left out."""
        own = [press for press in pressed if press.target == target and press.number > 0]
        first = sorted(press.first for press in own if press.extends)
        total = [press.total for press in own if press.extends and press.total is not None]
        moved = [press.first for press in own if not press.extends]
        return cls(_median(first), _median(total), _percentile(first, 0.95), _median(moved))


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
