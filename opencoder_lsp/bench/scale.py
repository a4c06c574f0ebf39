"""
`opencoder-lsp bench scale`: how many typists one engine carries.

The engine's costs are measured on it, or taken from a report of `bench engine`; typists are then
simulated with them, more and more. On a real engine some of these numbers of typists are also
replayed in earnest, so that what was simulated stands beside what was measured.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from opencoder_lsp.bench import costs, workloads
from opencoder_lsp.bench.chats import Chats
from opencoder_lsp.bench.costs import Costs
from opencoder_lsp.bench.engine import counting
from opencoder_lsp.bench.load import Load
from opencoder_lsp.bench.process import FreshEngine
from opencoder_lsp.bench.replay import replay
from opencoder_lsp.bench.simulation import Shape, Simulation, carried
from opencoder_lsp.bench.target import PATIENT, Server
from opencoder_lsp.bench.typist import Typing
from opencoder_lsp.client.access import access_to
from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.engine.scheduler import chunk_tokens
from opencoder_lsp.models.manifest import ProgressCallback
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings

SLOTS = 8  # of an engine that does not say
MOST = 256  # typists that are simulated
_ENOUGH = 2400.0  # seconds of all typists together, so that many take no longer than few
_LEAST = 60.0  # seconds of each
_SHOWN = 8  # typists, at least


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What is asked for: numbers of typists to replay, the seconds of each, the seconds simulated for
    few typists, and the p95 to keep to; `slots` other than the engine's, or 0; and what they ask
    in chats.
    """

    typists: Sequence[int] = (1, 2, 4)
    seconds: float = 30.0
    simulated: float = 300.0
    limit: float = 0.5
    slots: int = 0
    chats: Chats = Chats()


@dataclass(slots=True)
class Report:
    """What was found about `model`; `checked` are pairs of a load replayed and simulated."""

    model: str
    shape: Shape
    limit: float
    chats: Chats
    carried: int
    loads: list[Load] = field(default_factory=list)
    checked: list[tuple[Load, Load]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for a script."""
        return {
            "model": self.model,
            "engine": dataclasses.asdict(self.shape),
            "limit_ms": 1000 * self.limit,
            "chats": dataclasses.asdict(self.chats),
            "carried": self.carried,
            "simulated": [load.as_json() for load in self.loads],
            "checked": [
                {"measured": measured.as_json(), "simulated": simulated.as_json()}
                for measured, simulated in self.checked
            ],
        }


class Measurement:
    """One run with an engine; `progress` gets a stage, the steps done and all of them."""

    def __init__(
        self, settings: Settings, model: Model | None, wanted: Wanted, progress: ProgressCallback
    ) -> None:
        """`model` may be None where `engine.url` is set."""
        self._settings = settings
        self._model = model
        self._wanted = wanted
        self._progress = progress
        self._typing = Typing.recorded()

    async def run(self) -> Report:
        """Measure and simulate. Raises EngineError and ModelError."""
        async with self._engine() as (server, health):
            shape = await self._shape(server, health)
            measured = await self._replay(server)
        report = planned(health.model, shape, self._wanted, self._typing, self._progress)
        for load in measured:
            again = Simulation(self._typing, shape, self._wanted.chats)
            report.checked.append((load, again.run(load.typists, load.seconds)))
        return report

    @contextlib.asynccontextmanager
    async def _engine(self) -> AsyncIterator[tuple[Server, Health]]:
        if url := self._settings.engine.url:
            # It does not ask a busy engine again: that would hide how often it is.
            access, model = access_to(url, self._settings), self._settings.model.name
            client = EngineClient(url, limits=PATIENT, access=access, model=model)
            try:
                health = await client.health()
                # Only ours says where its model is; others would end at a token of their own.
                extra = {} if health.device else {"ignore_eos": True, "cache_prompt": True}
                yield Server("engine", client, extra=extra), health
            finally:
                await client.close()
            return
        assert self._model is not None
        stage = "loading the engine"
        changes = {"engine.lookup": False, "engine.slots": self._wanted.slots}
        async with FreshEngine(
            "scale",
            self._settings,
            self._model,
            changes,
            lambda health: self._progress(stage, int(100 * health.progress), 100),
        ) as engine:
            yield engine.server, engine.health

    async def _shape(self, server: Server, health: Health) -> Shape:
        await workloads.warm_up([server])
        slots = self._wanted.slots or health.slots or SLOTS
        rows = costs.decode_rows(slots)
        length = max(ask.prompt for ask in self._typing.asks)
        tick = counting(self._progress, "costs of a step", max(rows) + len(rows))
        found = await costs.measure(server, length, rows, tick)
        return shape_of(found, slots, self._settings, health.prompt_tokens_auto)

    async def _replay(self, server: Server) -> list[Load]:
        tick = counting(self._progress, "typists", len(self._wanted.typists))
        loads = []
        for typists in self._wanted.typists:
            seconds, chats = self._wanted.seconds, self._wanted.chats
            loads.append(await replay(server, self._typing, typists, seconds, chats))
            tick()
        return loads


def shape_of(found: Costs, slots: int, settings: Settings, auto: int = 0) -> Shape:
    """Return an engine of such costs; `auto` is what it prefills in half a second, or 0."""
    chunk = chunk_tokens(auto or int(0.5 / max(found.token, 1e-6)))
    return Shape(found, slots, chunk, settings.engine.queue)


def planned(
    model: str, shape: Shape, wanted: Wanted, typing: Typing, progress: ProgressCallback
) -> Report:
    """Simulate growing numbers of typists until the engine is too slow, or there are MOST."""
    loads = dict[int, Load]()

    def simulate(typists: int) -> Load:
        if typists not in loads:
            seconds = max(_LEAST, min(wanted.simulated, _ENOUGH / typists))
            loads[typists] = Simulation(typing, shape, wanted.chats).run(typists, seconds)
            progress("simulated typists", len(loads), None)
        return loads[typists]

    most = carried(simulate, wanted.limit, MOST)
    count = 1
    while count <= max(_SHOWN, 2 * most):  # how it goes on is worth seeing, too
        simulate(min(count, MOST))
        count *= 2
    found = [loads[count] for count in sorted(loads)]
    return Report(model, shape, wanted.limit, wanted.chats, most, found)
