"""
What the language server asks of an engine while the recorded trace is typed, for `bench scale`.

`python -m tests.benchmarks requests --requests-json opencoder_lsp/bench/requests.json` makes the
file that comes with the package. Nothing is asked ahead: a front does so on its own machine only.
And no request waits for the next key, so that the engine is asked as often as can be: how long one
would have waited depends on the engine.
"""

import asyncio
import bisect
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from opencoder_lsp.bench.process import FreshEngine
from opencoder_lsp.bench.tap import Asked, Tap
from opencoder_lsp.bench.typist import Ask
from opencoder_lsp.engine.slots import common_prefix
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings
from tests.benchmarks import keys
from tests.benchmarks.client import Client

_THOUGHT = 0.2  # seconds that a typist looks at an answer
_FASTEST = 0.05  # seconds in which nobody reads an answer and presses the next key


def as_asks(asked: Sequence[Asked], presses: Sequence[float]) -> list[Ask]:
    """
    Turn what passed a tap into requests to replay; `presses` are the moments of the keys.

    An answer was read to its end if a piece of it, rather than a key, came right before its end:
    the language server leaves as soon as its suggestion is complete. What was left for a key would
    have had as many tokens as the others in the middle. Behind the last request all begins anew.
    """
    asks = list[Ask]()
    lengths = [len(one.events) for one in asked if _was_read(one, presses)]
    typical = int(statistics.median(lengths)) if lengths else 1
    for number, one in enumerate(asked):
        shared = [common_prefix(old.prompt, one.prompt, len(one.prompt)) for old in asked[:number]]
        kept = max(shared, default=0)
        ended = _end(one)
        following = asked[number + 1].began if number + 1 < len(asked) else ended + 1.0
        read = _was_read(one, presses) and following - ended > _FASTEST
        asks.append(
            Ask(
                prompt=len(one.prompt),
                base=shared.index(kept) if kept else -1,
                kept=kept,
                tokens=max(1, len(one.events)) if read else max(typical, len(one.events)),
                left=None if read else round(ended - one.began, 3),
                gap=round(max(0.0, following - (ended if read else one.began)), 3),
            )
        )
    return asks


def _end(one: Asked) -> float:
    assert one.ended is not None, "a request that has not ended"
    return one.ended


def _was_read(one: Asked, presses: Sequence[float]) -> bool:
    return bool(one.events) and one.events[-1] > _last(presses, _end(one))


def _last(moments: Sequence[float], before: float) -> float:
    """Return the last of the sorted moments that lies in front of another."""
    place = bisect.bisect(moments, before)
    return moments[place - 1] if place else float("-inf")


async def record(model: Model, threads: int, most: int) -> list[Ask]:
    """Type the first `most` keys of the trace into the language server, as an editor does."""
    changes = {"engine.threads": threads, "engine.device": "cpu", "engine.dtype": "bfloat16"}
    moments = list[float]()
    async with FreshEngine("typing", Settings(), model, changes) as engine:
        tap = Tap(engine.server.client.url)
        async with tap, Client(_environment(tap.url, model)) as client:
            await _type(client, most, moments)
            await engine.until_idle()
        asked = tap.take()  # by now every one of them has ended
    return as_asks(asked, moments)


def _environment(url: str, model: Model) -> dict[str, str]:
    return {
        "OPENCODER_ENGINE_URL": url,
        "OPENCODER_MODEL_NAME": str(model.folder),
        "OPENCODER_COMPLETION_AHEAD": "false",
        "OPENCODER_COMPLETION_DEBOUNCE": "0",
        "OPENCODER_COMPLETION_PROMPT_TOKENS": "1024",  # as for bench quality
    }


async def _type(client: Client, most: int, moments: list[float]) -> None:
    text, presses = keys.recorded(most)
    client.open(text)
    last = None
    for press in presses:
        if last is not None and not last.done.is_set():
            client.cancel(last)
        last = client.press(press)
        moments.append(last.began)
        if press.reads:
            await last.done.wait()
            await asyncio.sleep(_THOUGHT)
        else:
            await asyncio.sleep(press.gap)
    if last is not None:
        await last.done.wait()


def run(model: Model, threads: int, most: int | None, file: Path | None) -> None:
    """Record, and write the file that is asked for."""
    asks = asyncio.run(record(model, threads, most or keys.KEYS))
    read = sum(ask.left is None for ask in asks)
    print(f"{len(asks)} requests, {read} of them read to their end")
    if file is not None:
        rows = [[ask.prompt, ask.base, ask.kept, ask.tokens, ask.left, ask.gap] for ask in asks]
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        fields = json.dumps(list(Ask.__dataclass_fields__))
        file.write_text(f'{{"fields": {fields},\n "requests": [\n{lines}\n]}}\n', encoding="utf-8")
