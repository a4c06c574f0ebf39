"""
How soon an answer begins: `opencoder.explain` in the real language server, beside its engine.

Each question is about other lines, so its prompt is computed anew. The same prompt is then asked of
the engine directly, with another first token, so that it is computed anew again.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from opencoder_lsp.bench.intervals import percentile
from opencoder_lsp.bench.process import FreshEngine
from opencoder_lsp.bench.tap import Tap
from opencoder_lsp.bench.trace import Trace
from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings
from tests.benchmarks.client import URI, Client
from tests.fakes.engine import FakeEngine

_QUESTIONS = 20
_ASKED_FOR_WORK = 100
_LINES = 12  # of the code that a question is about
_TOKENS = 8
_SALT = 100  # ids from here on are plain tokens of every vocabulary that we know


@dataclass
class Figures:
    """
    Seconds, of each question; `work` is with an engine that answers at once, HTTP included.

    `tokens` are those of the prompts.
    """

    through: list[float] = field(default_factory=list)
    directly: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)


async def measured(model: Model, threads: int, most: int | None) -> Figures:
    """Measure with `most` questions, or with as many as it takes."""
    figures = Figures()
    changes = {"engine.threads": threads, "engine.device": "cpu", "engine.dtype": "bfloat16"}
    async with FreshEngine("chat", Settings(), model, changes) as engine:
        url = engine.server.client.url
        async with Tap(url) as tap, _server(tap.url, model) as client:
            for number in range(most or _QUESTIONS):
                figures.through.append(await _first_delta(client, number))
                (asked,) = tap.take()
                figures.tokens.append(len(asked.prompt))
                prompt = [_SALT + number, *asked.prompt[1:]]
                figures.directly.append(await _first_text(engine.server.client, prompt))
    with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp") as folder:
        async with FakeEngine(Path(folder) / "s") as fake, _server(fake.url, model) as client:
            for number in range(most or _ASKED_FOR_WORK):
                figures.work.append(await _first_delta(client, number))
    return figures


@asynccontextmanager
async def _server(url: str, model: Model) -> AsyncIterator[Client]:
    environment = {
        "OPENCODER_ENGINE_URL": url,
        "OPENCODER_MODEL_NAME": str(model.folder),
        "OPENCODER_CHAT_MAX_TOKENS": str(_TOKENS),
        "OPENCODER_COMPLETION_AHEAD": "false",
    }
    async with Client(environment) as client:
        client.open(Trace.recorded().text)
        yield client


async def _first_delta(client: Client, number: int) -> float:
    """Ask for an explanation, wait for its end, and return when it began."""
    lines = Trace.recorded().text.count("\n")
    first = number * 7 % (lines - _LINES)
    start, end = {"line": first, "character": 0}, {"line": first + _LINES, "character": 0}
    token = f"explain-{number}"
    arguments = {"uri": URI, "range": {"start": start, "end": end}, "token": token}
    params = {"command": "opencoder.explain", "arguments": [arguments]}
    began = time.perf_counter()
    deltas = client.listen(token)
    asked = client.ask("workspace/executeCommand", params)
    await asked.done.wait()
    return deltas[0] - began


async def _first_text(client: EngineClient, prompt: list[int]) -> float:
    request = CompletionRequest(prompt=prompt, max_tokens=_TOKENS, priority=10)
    began, first = time.perf_counter(), 0.0
    async with client.complete(request) as stream:
        async for _ in stream:
            first = first or time.perf_counter() - began
    return first


def show(about: str, figures: Figures, console: Console) -> None:
    """Print what was measured."""
    console.print(f"explaining: {about}; {_LINES} lines each\n")
    table = Table("until the first delta, milliseconds", box=None, pad_edge=False)
    for name in ("median", "95th percentile"):
        table.add_column(name, justify="right")
    rows = {
        "opencoder.explain": figures.through,
        "its engine alone": figures.directly,
        "the server's own work": figures.work,
    }
    for title, seconds in rows.items():
        shares = (percentile(seconds, share) for share in (0.5, 0.95))
        table.add_row(title, *(f"{1000 * share:.1f}" for share in shares))
    console.print(table)
    ratio = percentile(figures.through, 0.5) / percentile(figures.directly, 0.5)
    console.print(f"\nbeside the engine: {ratio:.2f} ×; prompts of {max(figures.tokens)} tokens")


def run(model: Model, threads: int, most: int | None) -> None:
    """Measure and print."""
    figures = asyncio.run(measured(model, threads, most))
    show(f"{model.name}, bf16, {threads} threads, CPU", figures, Console(width=120))
