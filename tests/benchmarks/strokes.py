"""
Typing in the real language server, with the real engine of the demo model.

Four things: how many requests need a stream of their own, and how soon they are answered beside
the same keys asked naively; what prompt tokens a key costs; and the server's own work per request,
with an engine that answers at once.
"""

import asyncio
import dataclasses
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from starlette.requests import Request
from starlette.responses import Response

from opencoder_lsp.bench.process import FreshEngine
from opencoder_lsp.bench.trace import Trace
from opencoder_lsp.client.connection import Engine
from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from opencoder_lsp.lsp.continuation import EngineSource
from opencoder_lsp.lsp.generation import Generation
from opencoder_lsp.models.registry import Model
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.conversation import TEMPLATES, stop_ids
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import CompletionSettings, Settings
from tests.benchmarks import keys
from tests.benchmarks.client import Asked, Client
from tests.benchmarks.keys import Press
from tests.benchmarks.stroke_tables import Figures, Key, save, show
from tests.fakes.answers import Answer
from tests.fakes.engine import FakeEngine
from tests.fakes.sse import EventStream

_NAIVE_EVERY = 2  # a naive request computes everything: one of so many keys is enough
_LONG_FILE = 2000  # lines
_LINE = "value = compute(item, other)\n"  # is typed in it, again and again
_LONGEST_PROMPT = 4096  # what `auto` gives at most
_GAP = 0.05  # seconds
_THOUGHT = 0.2  # seconds that a typist looks at an answer
_SALT = 100  # ids from here on are plain tokens of every vocabulary that we know


class Run:
    """One run on an engine of its own; `figures` gather in it."""

    def __init__(self, model: Model, threads: int, most: int | None) -> None:
        """`most` keys of each trace are pressed, all of them if it is None."""
        self.figures = Figures()
        self._model = model
        self._most = most
        self._tokenizer = Tokenizer.load(model.folder)
        changes = {"engine.threads": threads, "engine.device": "cpu", "engine.dtype": "bfloat16"}
        self._engine = FreshEngine("typing", Settings(), model, changes)

    async def everything(self) -> None:
        """Measure."""
        async with self._engine:
            await self._rhythm()
            await self._naively()
            await self._editing()
        await self._own_work()

    @asynccontextmanager
    async def _server(self, url: str, ahead: str = "auto") -> AsyncIterator[Client]:
        environment = {
            "OPENCODER_ENGINE_URL": url,
            "OPENCODER_MODEL_NAME": str(self._model.folder),
            "OPENCODER_COMPLETION_AHEAD": ahead,
        }
        async with Client(environment) as client:
            yield client

    async def _rhythm(self) -> None:
        """Type as somebody does, and cancel as VS Code does."""
        text, presses = keys.recorded(self._most or keys.KEYS)
        async with self._server(self._engine.server.client.url) as client:
            client.open(text)
            await self._engine.until_idle()
            asked = list[Asked]()
            for press in presses:
                if asked and not asked[-1].done.is_set():
                    client.cancel(asked[-1])
                asked.append(client.press(press))
                if press.reads:
                    await asked[-1].done.wait()
                    await asyncio.sleep(_THOUGHT)
                else:
                    await asyncio.sleep(press.gap)
            await asyncio.gather(*(one.done.wait() for one in asked))
            self.figures.tally = await client.tally()
        read = [one for one, press in zip(asked, presses, strict=True) if press.reads]
        self.figures.answers = [one.seconds for one in read]

    async def _naively(self) -> None:
        """Ask for some keys of the same trace as if nobody had asked before."""
        engine = await self._naive_engine()

        async def ready() -> Engine:
            return engine

        source = EngineSource(ready, CompletionSettings)
        read = [press for press in keys.recorded(self._most or keys.KEYS)[1] if press.reads]
        loop = asyncio.get_running_loop()
        for press in read[::_NAIVE_EVERY]:
            began = loop.time()
            await _whole(Place("slots.py", "python", *press.place), source)
            self.figures.naive.append(loop.time() - began)
        assert isinstance(engine.client, EngineClient)
        await engine.client.close()

    async def _naive_engine(self) -> Engine:
        health = self._engine.health
        template = TEMPLATES[self._model.template]
        return Engine(
            _Forgetful(self._engine.server.client.url),
            self._tokenizer,
            template,
            stop_ids(template, self._tokenizer),
            health.context_length,
            health.prompt_tokens_auto,
        )

    async def _editing(self) -> None:
        """Press each key once everything that the one before it caused has ended."""
        presses = keys.editing()[1][: self._most]
        self.figures.keys = await self._costs(presses, ahead="false")
        self.figures.keys_ahead = await self._costs(presses[: len(presses) // 2], ahead="true")
        typed = "".join(press.typed for press in presses)
        self.figures.typed_tokens = len(self._tokenizer.encode(typed))

    async def _costs(self, presses: Sequence[Press], *, ahead: str) -> list[Key]:
        """Return what each key cost; `ahead` is the setting's value."""
        costs = list[Key]()
        async with self._server(self._engine.server.client.url, ahead) as client:
            client.open(keys.editing()[0])
            before = await self._engine.until_idle()
            for press in presses:
                asked = client.press(press)
                await asked.done.wait()
                after = await self._engine.until_idle()
                prompt = after["prompt_tokens_total"] - before["prompt_tokens_total"]
                cached = after["cached_tokens_total"] - before["cached_tokens_total"]
                costs.append(Key(press.jumped, int(prompt), int(prompt - cached)))
                before = after
        return costs

    async def _own_work(self) -> None:
        """Time requests whose engine answers at once, in a long file, less what that took."""
        text = "\n".join((Trace.recorded().text.split("\n") * _LONG_FILE)[:_LONG_FILE])
        for tokens in (self._engine.health.prompt_tokens_auto, _LONGEST_PROMPT):
            typist = keys.Typist(text, closes_pairs=False)
            typist.jump(text.index("\n", len(text) // 2))
            async with self._fake(tokens) as fake, self._server(fake.url) as client:
                client.open(text)
                for key in itertools.islice(itertools.cycle(_LINE), self._most or keys.KEYS):
                    asked = client.press(typist.press(key))
                    await asked.done.wait()
                    self.figures.work.setdefault(tokens, []).append(asked.seconds - fake.seconds)
                    await asyncio.sleep(_GAP)

    @asynccontextmanager
    async def _fake(self, tokens: int) -> AsyncIterator["_TimedEngine"]:
        with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp") as folder:
            health = {"context_length": 8192, "prompt_tokens_auto": tokens}
            async with _TimedEngine(Path(folder) / "s", default="1", **health) as fake:
                yield fake


async def _whole(place: Place, source: EngineSource) -> None:
    """Read one suggestion to its end; raises what the engine raises."""
    done = asyncio.Event()

    def look(generation: Generation) -> None:
        if generation.complete:
            done.set()

    generation = Generation(place, source, look)
    await done.wait()
    if generation.error is not None:
        raise generation.error


class _Forgetful(EngineClient):
    """A client whose prompts have nothing in common, so that no engine has seen one before."""

    _count = 0

    def complete(self, request: CompletionRequest) -> Any:
        """Replace the first token by one that no other prompt has there."""
        _Forgetful._count += 1
        salted = [_SALT + _Forgetful._count, *request.prompt[1:]]
        return super().complete(dataclasses.replace(request, prompt=salted))


class _TimedEngine(FakeEngine):
    """A scripted engine that says how long its last answer took, in seconds."""

    seconds = 0.0

    _began = 0.0

    async def _completions(self, request: Request) -> Response:
        self._began = time.perf_counter()
        return await super()._completions(request)

    async def _answer(self, stream: EventStream, body: dict[str, Any], answer: Answer) -> None:
        began = self._began
        try:
            await super()._answer(stream, body, answer)
        finally:
            if not body.get("priority"):
                self.seconds = time.perf_counter() - began


def run(model: Model, threads: int, most: int | None, file: Path | None) -> None:
    """Measure, print the tables, and write the file that is asked for."""
    measured = Run(model, threads, most)
    try:
        asyncio.run(measured.everything())
    finally:  # what was measured before something went wrong is worth its time, too
        about = f"{model.name}, bf16, {threads} threads, CPU"
        show(about, measured.figures, Console(width=120))
        if file is not None:
            save(file, about, measured.figures)
