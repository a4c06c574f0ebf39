"""
Weights of one byte beside those of two: memory, speed and quality, of two engines that take turns.

Quality is the exact rest of a line in this package's own code, with the bare prefix and healing,
and how often both engines write the same.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import opencoder_lsp
from opencoder_lsp.bench import sizes, sources, workloads
from opencoder_lsp.bench.holes import Hole, cut
from opencoder_lsp.bench.process import FreshEngine
from opencoder_lsp.bench.prompts import Prompts
from opencoder_lsp.bench.trace import Trace
from opencoder_lsp.bench.workloads import Size
from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.models.needs import KINDS
from opencoder_lsp.models.registry import Model
from opencoder_lsp.prompt.completion import CompletionPrompt, Place, build
from opencoder_lsp.prompt.conversation import TEMPLATES
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.benchmarks.quiet import until_quiet

HOLES, QUICK_HOLES = 100, 4
_SEED = 7
_LINE = 32  # tokens of an answer, of which the first line counts
_PROMPT = 256  # tokens


def run(model: Model, threads: int, size: Size, holes: int = HOLES) -> None:
    """Measure and print the table; `holes` is how many lines are completed."""
    asyncio.run(_run(model, threads, size, holes))


async def _run(model: Model, threads: int, size: Size, count: int) -> None:
    tokenizer = Tokenizer.load(model.folder)
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(_engine(model, threads, kind)) for kind in KINDS]
        dtype = engines[0].health.dtype
        print(f"int8 weights ({model.name}, {dtype}, {threads} threads)")
        print(f"  {'':36}{dtype:>10}{'int8':>10}{'ratio':>8}")
        weights = [sizes.weights_read(model.folder, dtype, kind) for kind in KINDS]
        _show("weights that a token reads, MB", [read / 1e6 for read in weights])
        _show("memory of the process, MB", [engine.memory() / 1e6 for engine in engines])
        targets = [engine.server for engine in engines]
        await workloads.warm_up(targets)
        prompts = Prompts(tokenizer, Trace.recorded())
        fill = await workloads.prefill(targets, size, _quietly, until_quiet)
        _show(f"prefill of {size.prefill} tokens, tokens/s", list(fill.values()))
        decode = await workloads.decode(targets, prompts.new_code, size, _quietly, until_quiet)
        _show(f"decoding {size.decode} tokens, tokens/s", list(decode.values()))
        holes = _holes(count)
        asked = [_prompt(hole, tokenizer, model) for hole in holes]
        lines = [[await _line(engine, prompt) for engine in engines] for prompt in asked]
    exact = [
        sum(line[n] == hole.truth.rstrip() for line, hole in zip(lines, holes, strict=True))
        for n in range(len(KINDS))
    ]
    _show(f"exact rest of the line, of {len(holes)}", exact)
    same = sum(plain == small for plain, small in lines)
    print(f"  both write the same line: {same} of {len(holes)}")


def _show(title: str, figures: Sequence[float]) -> None:
    plain, small = figures
    ratio = f"{small / plain:.2f}" if plain else "-"
    print(f"  {title:36}{plain:10.1f}{small:10.1f}{ratio:>8}", flush=True)


def _quietly() -> None:
    """Nobody watches how far it is."""


def _engine(model: Model, threads: int, kind: str) -> FreshEngine:
    changes = {"threads": threads, "device": "cpu", "lookup": False, "quantization": kind}
    return FreshEngine(kind, Settings(), model, {f"engine.{k}": v for k, v in changes.items()})


def _holes(count: int) -> list[Hole]:
    package = Path(opencoder_lsp.__file__).parent
    return cut([sources.of_folder(package, (".py",))], count, _SEED)


def _prompt(hole: Hole, tokenizer: Tokenizer, model: Model) -> CompletionPrompt:
    place = Place(hole.path, "python", hole.prefix, hole.suffix)
    template = TEMPLATES[model.template]
    return build(place, tokenizer, template, mode="prefix", fim_order="spm", limit=_PROMPT)


async def _line(engine: FreshEngine, prompt: CompletionPrompt) -> str:
    """Return what an engine writes to the end of the line, greedily."""
    request = CompletionRequest(
        prompt=prompt.ids, max_tokens=_LINE, forced_prefix=prompt.forced_prefix
    )
    text, start = "", len(prompt.forced_prefix)
    async with engine.server.client.complete(request) as stream:
        async for piece in stream:
            text += piece
            if "\n" in text[start:]:
                break
    return text[start:].partition("\n")[0].rstrip()
