"""
`opencoder-lsp bench engine`: how fast this machine runs a model.

Two engines run one after the other, since a card may hold the weights only once: the first
without prompt lookup, the second as editors have it.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from opencoder_lsp.bench import sizes, steps, workloads
from opencoder_lsp.bench.process import FreshEngine, read_bandwidth
from opencoder_lsp.bench.prompts import Prompts
from opencoder_lsp.bench.rows import Rows
from opencoder_lsp.bench.target import Target
from opencoder_lsp.bench.trace import Trace
from opencoder_lsp.bench.workloads import Size
from opencoder_lsp.client.engine import Health
from opencoder_lsp.engine.machine import cores
from opencoder_lsp.errors import SettingsError
from opencoder_lsp.models.manifest import ProgressCallback
from opencoder_lsp.models.registry import Model
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings

ENGINE, PLAIN = "engine", "no lookup"
# About two minutes for the demo model on two cores.
SIZE = Size(rounds=3, interruptions=3)


@dataclass(frozen=True, slots=True)
class Report:
    """The figures, and what they are of; `threads` (at most) count on a CPU only."""

    rows: Rows
    model: str
    device: str
    dtype: str
    threads: int
    interruptions: int


class Measurement:
    """One run of the command; `progress` gets a stage, the steps done and all of them."""

    def __init__(
        self, settings: Settings, model: Model, size: Size, progress: ProgressCallback
    ) -> None:
        """Raises SettingsError where an engine elsewhere is set."""
        if settings.engine.url:
            raise SettingsError(
                "bench measures an engine of its own; unset engine.url, and run it on the machine "
                "that has the model"
            )
        self._settings = settings
        self._model = model
        self._size = size
        self._progress = progress
        self._rows = Rows()
        self._threads = settings.engine.threads or cores()
        self._prompts = Prompts(Tokenizer.load(model.folder), Trace.recorded())

    async def run(self) -> Report:
        """Measure everything. Raises EngineError and ModelError."""
        async with self._engine(PLAIN, lookup=False) as engine:
            health = engine.health
            await workloads.warm_up([engine.server])
            await self._decode(engine.server)
            await self._streams(engine.server)
            await self._cancel(engine)
            interruptions = await self._interrupt(engine)
        async with self._engine(ENGINE, lookup=True) as engine:
            await workloads.warm_up([engine.server])
            await self._prefill(engine.server)
            await self._decode(engine.server)
            await self._type(engine.server)
        await self._bandwidth(health)
        return Report(
            self._rows,
            health.model,
            health.device,
            health.dtype,
            self._threads,
            interruptions,
        )

    def _engine(self, name: str, *, lookup: bool) -> FreshEngine:
        stage = f"loading the engine ({'with' if lookup else 'without'} lookup)"

        def tell(health: Health) -> None:
            self._progress(stage, int(100 * health.progress), 100)

        return FreshEngine(name, self._settings, self._model, {"engine.lookup": lookup}, tell)

    def _tick(self, stage: str, total: int) -> workloads.Tick:
        return counting(self._progress, stage, total)

    async def _prefill(self, target: Target) -> None:
        tick = self._tick("prefill", self._size.rounds)
        self._rows.update("prefill", await workloads.prefill([target], self._size, tick))

    async def _decode(self, target: Target) -> None:
        rows, size = self._rows, self._size
        tick = self._tick(f"decode ({target.name})", 2 * size.rounds)
        new, repeated = self._prompts.new_code, self._prompts.repeated_code
        rows.update("decode", await workloads.decode([target], new, size, tick))
        rows.update("decode_repeat", await workloads.decode([target], repeated, size, tick))

    async def _streams(self, target: Target) -> None:
        rows, size = self._rows, self._size
        tick = self._tick(f"{size.streams} streams", 2 * size.rounds)
        one = await workloads.streams([target], 1, size, tick)
        note_streams(rows, one, await workloads.streams([target], size.streams, size, tick))

    async def _type(self, target: Target) -> None:
        keys = self._prompts.typed(self._size.keys)
        tick = self._tick("typing", workloads.pauses(keys))
        pressed = await workloads.typing([target], keys, tick)
        note_typing(self._rows, pressed, [target])

    async def _cancel(self, engine: FreshEngine) -> None:
        tick = self._tick("cancel", self._size.cancels)
        note_cancel(self._rows, engine.name, await steps.cancel(engine, self._size, tick))

    async def _interrupt(self, engine: FreshEngine) -> int:
        tick = self._tick("completions in a long prefill", self._size.interruptions)
        seen = await steps.interrupt(engine, self._size, tick)
        note_interruptions(self._rows, engine.name, seen)
        return len(seen)

    async def _bandwidth(self, health: Health) -> None:
        tick = self._tick("memory bandwidth", 1)
        bandwidth = await read_bandwidth(health.device, self._threads)
        tick()
        kind = self._settings.engine.quantization
        weights = sizes.weights_read(self._model.folder, health.dtype, kind)
        note_bandwidth(self._rows, bandwidth, weights)


def counting(progress: ProgressCallback, stage: str, total: int) -> workloads.Tick:
    """Return a tick that reports how far a stage is."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress(stage, done, total)

    progress(stage, 0, total)
    return tick


def note_streams(rows: Rows, one: workloads.Figures, many: workloads.Figures) -> None:
    """Note what one stream and what several gave."""
    rows.update("stream", one)
    rows.update("streams", many)
    rows.update("streams_ratio", {target: many[target] / one[target] for target in many})


def note_typing(
    rows: Rows, pressed: Sequence[workloads.Pressed], targets: Sequence[Target]
) -> None:
    """Sum up the keys that were pressed."""
    for target in targets:
        typed = workloads.Typed.of(pressed, target.name)
        for kind, seconds in (
            ("typing_first", typed.first),
            ("typing_first_p95", typed.slowest_first),
            ("typing_total", typed.total),
            ("moved_first", typed.moved_first),
        ):
            if seconds:
                rows.add(kind, target.name, seconds)


def note_cancel(rows: Rows, name: str, seen: steps.Cancelled) -> None:
    """Sum up the clients that left."""
    ordered = sorted(seen.steps)
    rows.add("cancel_steps", name, ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))])
    rows.add("cancel_ms", name, statistics.median(seen.milliseconds))
    # The last token of a prompt is always computed.
    rows.add("cancel_cached", name, seen.cached / (seen.prompt - 1))
    rows.add("cancel_memory", name, seen.memory_after - seen.memory_before)
    rows.add("memory", name, seen.memory_after)


def note_interruptions(rows: Rows, name: str, seen: Sequence[steps.Interruption]) -> None:
    """Note the worst of the completions that came in the middle of a long prefill."""
    if seen:
        rows.add("chat_chunks", name, max(one.chunks for one in seen))
        rows.add("chat_ms", name, max(one.seconds for one in seen))
        rows.add("chat_time", name, max(one.seconds / one.chunk_seconds for one in seen))


def note_bandwidth(rows: Rows, bandwidth: float, weights: int) -> None:
    """Note what share of it each target's decoding uses: weights read × tokens per second."""
    for target, speed in rows.values["decode"].items():
        rows.add("bandwidth", target, bandwidth)
        rows.add("share", target, weights * speed / bandwidth)
