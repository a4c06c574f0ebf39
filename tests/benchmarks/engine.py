"""
The engine beside its peers, in one run: the same weights, the same threads, turn by turn.

Everything that peers can do, too, is measured first; then, with the peers gone, what is asked of
ours alone.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from opencoder_lsp import paths
from opencoder_lsp.bench import sizes, steps, workloads
from opencoder_lsp.bench.engine import (
    ENGINE,
    PLAIN,
    counting,
    note_bandwidth,
    note_cancel,
    note_interruptions,
    note_streams,
    note_typing,
)
from opencoder_lsp.bench.process import FreshEngine, read_bandwidth
from opencoder_lsp.bench.prompts import Prompts, filler
from opencoder_lsp.bench.rows import Rows
from opencoder_lsp.bench.target import Target
from opencoder_lsp.bench.trace import Trace
from opencoder_lsp.bench.workloads import Pressed, Size
from opencoder_lsp.cli.terminal import StageBars, stage_bars
from opencoder_lsp.errors import EngineError
from opencoder_lsp.models import registry
from opencoder_lsp.models.registry import Model
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.benchmarks import peers, plot, tables
from tests.benchmarks.peers import Missing
from tests.benchmarks.quiet import until_quiet

_DEEP_LAYERS = 40


class Run:
    """One run; the figures gather in `rows`, `missing` and `pressed`."""

    def __init__(self, model: Model, threads: int, size: Size, bars: StageBars) -> None:
        self.rows = Rows()
        self.missing: list[Missing] = []
        self.pressed: list[Pressed] = []
        self._model = model
        self._threads = threads
        self._size = size
        self._bars = bars
        self._prompts = Prompts(Tokenizer.load(model.folder), Trace.recorded())
        self._logs = paths.private(paths.logs())

    async def everything(self) -> None:
        """Measure."""
        async with AsyncExitStack() as stack:
            others = [
                target
                for peer in peers.find(os.environ, self._model.folder, self._threads)
                if (target := await self._started(peer, stack)) is not None
            ]
            engine = await stack.enter_async_context(self._engine(ENGINE, lookup=True))
            plain = await stack.enter_async_context(self._engine(PLAIN, lookup=False))
            await self._beside(engine.server, plain.server, others)
        await self._alone()

    async def _started(self, peer: peers.Peer | Missing, stack: AsyncExitStack) -> Target | None:
        """Start a peer; one that does not start is missing, and says why."""
        if isinstance(peer, Missing):
            self.missing.append(peer)
            return None
        tick = self._tick(f"starting {peer.name}", 1)
        log = self._logs / f"{peer.name}.log"
        try:
            target = await stack.enter_async_context(peers.running(peer, log))
            await workloads.warm_up([target])
        except EngineError as error:
            self.missing.append(Missing(peer.name, str(error)))
            return None
        tick()
        return target

    def _engine(self, name: str, model: Model | None = None, **changes: object) -> FreshEngine:
        own = {"threads": self._threads, "device": "cpu", "dtype": "bfloat16", **changes}
        named = {f"engine.{key}": value for key, value in own.items()}
        return FreshEngine(name, Settings(), model or self._model, named)

    def _tick(self, stage: str, total: int) -> workloads.Tick:
        return counting(self._bars, stage, total)

    async def _beside(self, engine: Target, plain: Target, others: Sequence[Target]) -> None:
        rows, size = self.rows, self._size
        everybody = [engine, plain, *others]
        await workloads.warm_up([engine, plain])
        tick = self._tick("prefill", size.rounds * (1 + len(others)))
        rows.update("prefill", await workloads.prefill([engine, *others], size, tick, until_quiet))
        tick = self._tick("decode", 2 * size.rounds * len(everybody))
        for kind, prompt in (
            ("decode", self._prompts.new_code),
            ("decode_repeat", self._prompts.repeated_code),
        ):
            rows.update(kind, await workloads.decode(everybody, prompt, size, tick, until_quiet))
        several = [target for target in (plain, *others) if target.concurrent]
        tick = self._tick("streams", 2 * size.rounds * len(several))
        one = await workloads.streams(several, 1, size, tick, until_quiet)
        many = await workloads.streams(several, size.streams, size, tick, until_quiet)
        note_streams(rows, one, many)
        keys = self._prompts.typed(size.keys)
        tick = self._tick("typing", workloads.pauses(keys) * len(everybody))
        self.pressed = await workloads.typing(everybody, keys, tick, until_quiet)
        note_typing(rows, self.pressed, everybody)
        tick = self._tick("memory bandwidth", 1)
        bandwidth = await read_bandwidth("cpu", self._threads)
        tick()
        note_bandwidth(rows, bandwidth, sizes.weights_read(self._model.folder, "bfloat16"))

    async def _alone(self) -> None:
        rows, size = self.rows, self._size
        async with self._engine(PLAIN, lookup=False) as engine:
            await workloads.warm_up([engine.server])
            tick = self._tick("cancel", size.cancels)
            note_cancel(rows, PLAIN, await steps.cancel(engine, size, tick))
            tick = self._tick("completions in a long prefill", size.interruptions)
            note_interruptions(rows, PLAIN, await steps.interrupt(engine, size, tick))
        async with self._engine(ENGINE, lookup=True) as engine:
            tick = self._tick("many requests", size.requests)
            before, after = await steps.resident_growth(engine, size, tick)
            rows.add("resident", ENGINE, after / before - 1)
        async with self._engine(ENGINE, lookup=True, context=size.kv_context) as engine:
            slots = int((await engine.counters())["slots"])
            grown, tokens = await steps.kv_bytes(engine, self._tick("KV memory", slots - 1))
            formula = tokens * sizes.kv_bytes_per_token(self._model.folder, engine.health.dtype)
            rows.add("kv", ENGINE, grown / formula - 1)
        rows.add("host", PLAIN, await self._host_seconds())

    async def _host_seconds(self) -> float:
        """Return the seconds of a decode step of a model that costs next to nothing."""
        with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp") as folder:
            model = await asyncio.to_thread(_deep_model, Path(folder) / "deep")
            async with self._engine("host", model, lookup=False) as engine:
                await workloads.warm_up([engine.server])
                tick = self._tick("host time", self._size.rounds)
                speeds = await workloads.decode([engine.server], filler(24, 1), self._size, tick)
        return 1 / speeds[engine.name]


def _deep_model(folder: Path) -> Model:
    """Make a GPTBigCode model of 40 layers whose matrix products cost next to nothing."""
    from tests.fakes.checkpoints import make_checkpoint, make_model  # they import torch

    made = make_model("gpt_bigcode", n_layer=_DEEP_LAYERS)
    return registry.open_model(make_checkpoint(folder, made, name="deep", shards=False))


def title(model: Model, threads: int) -> str:
    """Say what the figures are of."""
    load = os.getloadavg()[0]
    return f"{model.name}, bf16, {threads} threads, CPU; load of the machine before: {load:.1f}"


def run(model: Model, threads: int, size: Size, options: "Options") -> None:
    """Measure, print the tables, and write the files that are asked for."""
    about = title(model, threads)
    with stage_bars() as bars:
        measured = Run(model, threads, size, bars)
        try:
            asyncio.run(measured.everything())
        finally:  # what was measured before something went wrong is worth its time, too
            _report(measured, about, options)


def _report(measured: Run, about: str, options: "Options") -> None:
    rows, missing, pressed = measured.rows, measured.missing, measured.pressed
    tables.show(about, rows, missing, Console(width=160))
    if options.json:
        tables.save(options.json, {"about": about}, rows, missing, pressed)
    if options.plot and pressed:
        plot.draw(pressed, options.plot)


@dataclass(frozen=True, slots=True)
class Options:
    """Files to write besides the tables."""

    json: Path | None = None
    plot: Path | None = None
