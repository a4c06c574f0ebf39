"""
`opencoder-lsp bench quality`: how good suggestions are, mode beside mode, on holes in real code.

The real language server is asked, in a copy of the code that has the hole in it. The modes take
turns, block by block of holes: what else the machine does meets them all, and no mode finds its
prompt in a slot of the engine because another mode has just asked the same.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from opencoder_lsp.bench.engine import counting
from opencoder_lsp.bench.holes import Hole
from opencoder_lsp.bench.likelihood import log_likelihood
from opencoder_lsp.bench.modes import Mode
from opencoder_lsp.bench.process import FreshEngine
from opencoder_lsp.bench.results import Result, Results
from opencoder_lsp.bench.sources import Source, write
from opencoder_lsp.bench.tap import Asked, Tap
from opencoder_lsp.bench.target import PATIENT
from opencoder_lsp.bench.verdict import Suggestion, judge
from opencoder_lsp.client.access import access_to
from opencoder_lsp.client.elsewhere import remote_client
from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.errors import InvalidRequestError
from opencoder_lsp.models.manifest import ProgressCallback
from opencoder_lsp.models.registry import Model
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings

BLOCK = 12  # holes: more than an engine has slots


class Server(Protocol):
    """A language server, asked as an editor asks."""

    async def suggestion(
        self, path: Path, text: str, place: tuple[int, int]
    ) -> tuple[Suggestion | None, float]:
        """
        Return what it suggests in a document that has just been opened, and after how many seconds.

        `place` is a line and a column in code points. The document is closed again.
        """
        ...


# Starts a language server with these settings (as for `--set`) and workspace folders.
StartServer = Callable[[Sequence[str], Sequence[Path]], AbstractAsyncContextManager[Server]]


@dataclass(frozen=True, slots=True)
class _Stage:
    """What every answer needs: the engine, what listens before it, and the copies of the code."""

    client: EngineClient
    tap: Tap
    folder: Path


@dataclass(frozen=True, slots=True)
class _Used:
    """Tokens that an engine has computed, those that it generated included, and generated."""

    computed: float
    generated: float


class Measurement:
    """One run of the command; `results` are filled as it goes on, and may hold some already."""

    def __init__(
        self,
        settings: Settings,
        model: Model,
        sources: Sequence[Source],
        holes: Sequence[Hole],
        modes: Sequence[Mode],
        results: Results,
        start: StartServer,
        progress: ProgressCallback,
    ) -> None:
        self._settings = settings
        self._model = model
        self._sources = sources
        self._holes = holes
        self._modes = modes
        self._results = results
        self._start = start
        self._progress = progress
        self._tokenizer = Tokenizer.load(model.folder)
        self._engine: FreshEngine | None = None
        self.no_likelihood = ""  # why there are no probabilities, where there are none

    async def run(self) -> None:
        """
        Ask at every hole in every mode, as far as the results do not have it.

        Raises OpencoderError. What was measured until then, or until it is cancelled, is kept.
        """
        todo = [hole for hole in self._holes if self._missing(hole)]
        if not todo:
            return
        count = sum(len(self._missing(hole)) for hole in todo)
        async with AsyncExitStack() as stack:
            client = await self._attach(stack)
            access = access_to(client.url, self._settings)
            tap = await stack.enter_async_context(Tap(client.url, access))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oc-quality-")))
            for source in self._sources:
                write(source, folder / source.name)
            stage = _Stage(client, tap, folder)
            servers = await self._serve(stack, stage)
            tick = counting(self._progress, "asking", count)
            try:
                for at in range(0, len(todo), BLOCK):
                    await self._measure(todo[at : at + BLOCK], servers, stage, tick)
                    self._results.save()
            finally:
                self._results.save()

    def _missing(self, hole: Hole) -> list[Mode]:
        return [mode for mode in self._modes if not self._results.has(mode.name, hole.id)]

    async def _attach(self, stack: AsyncExitStack) -> EngineClient:
        """Return a client of the engine at `engine.url`, or of one of our own."""
        if url := self._settings.engine.url:
            client = remote_client(url, self._settings, PATIENT)
            stack.push_async_callback(client.close)
            await client.health()
            if client.server is not None:
                self.no_likelihood = f"{client.server.name} is asked in words of its own"
            return client

        def tell(health: Health) -> None:
            self._progress("loading the engine", int(100 * health.progress), 100)

        fresh = FreshEngine("quality", self._settings, self._model, {}, tell)
        self._engine = await stack.enter_async_context(fresh)
        return self._engine.server.client

    async def _serve(self, stack: AsyncExitStack, stage: _Stage) -> Mapping[str, Server]:
        """Start one language server for each mode, all of them at the tap."""
        folders = [stage.folder / source.name for source in self._sources]
        tick = counting(self._progress, "starting language servers", len(self._modes))
        servers = {}
        for mode in self._modes:
            pairs = [f"engine.url={stage.tap.url}", "completion.url=", *mode.settings()]
            server = await stack.enter_async_context(self._start(pairs, folders))
            servers[mode.name] = server
            tick()
        return servers

    async def _measure(
        self,
        holes: Sequence[Hole],
        servers: Mapping[str, Server],
        stage: _Stage,
        tick: Callable[[], None],
    ) -> None:
        for mode in self._modes:
            for hole in holes:
                if self._results.has(mode.name, hole.id):
                    continue
                self._results.add(await self._ask(mode, hole, servers[mode.name], stage))
                tick()

    async def _ask(self, mode: Mode, hole: Hole, server: Server, stage: _Stage) -> Result:
        path = stage.folder / hole.source / hole.path
        before = await self._used()
        stage.tap.take()
        with _on_disk(path, hole):
            place = (hole.line, hole.character)
            suggestion, seconds = await server.suggestion(path, hole.holed, place)
        after = await self._used()
        # What is asked in advance has a higher number.
        asked = min(reversed(stage.tap.take()), key=lambda one: one.priority, default=None)
        verdict = judge(hole, suggestion)
        return Result(
            mode=mode.name,
            hole=hole.id,
            text=suggestion.text if suggestion else "",
            shown=verdict.shown,
            exact=verdict.exact,
            similarity=verdict.similarity,
            parses=verdict.parses,
            unbroken=verdict.unbroken,
            repeats=verdict.repeats,
            seconds=seconds,
            computed=after.computed - before.computed if before and after else None,
            generated=after.generated - before.generated if before and after else None,
            likelihood=await self._likelihood(stage.client, hole, asked) if asked else None,
        )

    async def _likelihood(self, client: EngineClient, hole: Hole, asked: Asked) -> float | None:
        if self.no_likelihood:
            return None
        ids = self._tokenizer.encode(asked.forced_prefix + hole.truth.rstrip())
        try:
            return await log_likelihood(client, asked.prompt, ids)
        except InvalidRequestError as error:
            self.no_likelihood = str(error)
            return None

    async def _used(self) -> _Used | None:
        """Return what the engine has done so far, once it rests; None where it is not ours."""
        if self._engine is None:
            return None
        counters = await self._engine.until_idle()
        generated = counters["completion_tokens_total"]
        prompts = counters["prompt_tokens_total"] - counters["cached_tokens_total"]
        return _Used(prompts + generated, generated)


@contextmanager
def _on_disk(path: Path, hole: Hole) -> Iterator[None]:
    """Have the hole in the file on disk, too, for the length of the block."""
    path.write_bytes(hole.holed.encode())
    try:
        yield
    finally:
        path.write_bytes(hole.whole.encode())
