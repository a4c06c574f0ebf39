"""What a step of an engine costs: measured on one, or taken from a report of `bench engine`."""

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opencoder_lsp.bench.engine import ENGINE, PLAIN
from opencoder_lsp.bench.prompts import fillers
from opencoder_lsp.bench.target import Target
from opencoder_lsp.bench.workloads import Size, Tick
from opencoder_lsp.errors import OpencoderError

ROUNDS = 3
_DECODED = 32  # tokens
_STREAM_PROMPT = 32  # tokens of each prompt of `bench engine`'s streams


@dataclass(frozen=True, slots=True)
class Costs:
    """
    Seconds: of a step whatever is in it, of each request in it, of each prompt token in it beside
    the one that every request has; and, `request`, of a whole request outside of the engine.
    """

    step: float
    row: float
    token: float
    request: float

    @classmethod
    def fit(cls, steps: Mapping[int, float], prefill: tuple[int, float], known: float) -> "Costs":
        """
        Find the costs from measured seconds.

        `steps` is what a step of decoding takes, by the number of requests in it (two or more
        numbers); `prefill` is a prompt's length and the time to the first token where nothing of
        it is known, `known` the same where all of it is.
        """
        line = statistics.linear_regression(list(steps), list(steps.values()))
        row = min(max(0.0, line.slope), min(steps.values()))
        step = max(0.0, statistics.mean(steps.values()) - row * statistics.mean(steps))
        length, seconds = prefill
        token = max(0.0, seconds - known) / (length - 1)
        return cls(step, row, token, max(0.0, known - step - row))

    def seconds(self, requests: int, tokens: int) -> float:
        """Return what a step of so many requests takes, with `tokens` tokens in all."""
        return self.step + self.row * requests + self.token * (tokens - requests)


def decode_rows(slots: int) -> list[int]:
    """Return the numbers of requests side by side to measure at."""
    return [count for count in (1, 2, 4, 8) if count <= slots]


async def measure(
    target: Target, length: int, rows: Sequence[int], tick: Tick, rounds: int = ROUNDS
) -> Costs:
    """Measure with prompts of `length` tokens; `rows` as `decode_rows` gives them."""
    prompts = fillers(max(rows), length, 800)
    whole = []
    for prompt in prompts:
        whole.append((await target.ask(prompt, 1)).total)
        tick()
    known = [(await target.ask(prompts[-1], 1)).total for _ in range(2 * rounds)]
    steps = dict[int, float]()
    for count in rows:
        tries = [await _step(target, prompts[-count:]) for _ in range(rounds)]
        steps[count] = min(tries)
        tick()
    return Costs.fit(steps, (length, min(whole)), min(known))


async def _step(target: Target, prompts: Sequence[list[int]]) -> float:
    """Return what a step takes that decodes for all these prompts, which the engine knows."""
    answers = await asyncio.gather(*(target.ask(prompt, _DECODED + 1) for prompt in prompts))
    return statistics.mean(1 / answer.speed for answer in answers)


def from_report(report: Any) -> tuple[str, Costs]:
    """
    Return the model's name and the costs that a report of `bench engine --json` shows.

    Raises OpencoderError where it is none.
    """
    size = Size()
    try:
        rows = {row["row"]: row["values"] for row in report["rows"]}
        step = 1 / rows["decode"][PLAIN]
        token = 1 / rows["prefill"][ENGINE]
        whole = size.streams * size.decode / rows["streams"][PLAIN]
        prefilled = size.streams * _STREAM_PROMPT * token
        known = max(rows["typing_first"][ENGINE] / 1000, step)
        steps = {1: step, size.streams: max(step, (whole - prefilled) / size.decode)}
        prefill = size.prefill, known + token * (size.prefill - 1)
        return str(report["model"]), Costs.fit(steps, prefill, known)
    except (LookupError, TypeError, ValueError, ZeroDivisionError):
        raise OpencoderError(
            "this is no report of a whole run of: opencoder-lsp bench engine --json"
        ) from None
