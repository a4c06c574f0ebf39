"""The figures to reach, each beside what it is compared with, and whether it was reached."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from opencoder_lsp.bench.engine import ENGINE, PLAIN
from opencoder_lsp.bench.rows import KINDS, Rows
from tests.benchmarks.peers import BATCHING, GENERATE, LLAMA, VLLM

Cell = tuple[str, str]  # a kind of row and a target
Answer = Literal["yes", "no", "not measured"]


@dataclass(frozen=True, slots=True)
class Goal:
    """
    What `mine` is to be: at most or at least `limit`, times the figure of `than` if there is one.

    Without `than` the limit is in the unit of the row. A stretch is wished for, not asked for.
    """

    title: str
    mine: Cell
    bound: Literal["≤", "≥", "±"]
    limit: float
    than: Cell | None = None
    stretch: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, what was reached, and whether that is enough."""

    goal: Goal
    reached: float | None
    answer: Answer

    @property
    def unit(self) -> str:
        """The unit of limit and reached."""
        return "×" if self.goal.than else KINDS[self.goal.mine[0]].unit


GOALS = (
    Goal("typing: first token beside llama-server's", ("typing_first", ENGINE), "≤", 3,
         ("typing_first", LLAMA)),
    Goal("typing: all 16 tokens beside vLLM's", ("typing_total", ENGINE), "≤", 1,
         ("typing_total", VLLM)),
    Goal("typing: all 16 tokens beside llama-server's", ("typing_total", ENGINE), "≤", 1,
         ("typing_total", LLAMA), stretch=True),
    Goal("decode without lookup beside generate", ("decode", PLAIN), "≥", 1.5,
         ("decode", GENERATE)),
    Goal("decode without lookup beside generate", ("decode", PLAIN), "≥", 2,
         ("decode", GENERATE), stretch=True),
    Goal("decode without lookup beside vLLM", ("decode", PLAIN), "≥", 0.8, ("decode", VLLM)),
    Goal("decode of repeated code beside llama-server", ("decode_repeat", ENGINE), "≥", 0.8,
         ("decode_repeat", LLAMA)),
    Goal("decode of repeated code beside llama-server", ("decode_repeat", ENGINE), "≥", 1,
         ("decode_repeat", LLAMA), stretch=True),
    Goal("host time per step", ("host", PLAIN), "≤", 9),
    Goal("prefill beside generate", ("prefill", ENGINE), "≥", 1, ("prefill", GENERATE)),
    Goal("eight streams beside one", ("streams", PLAIN), "≥", 3.5, ("stream", PLAIN)),
    Goal("eight streams beside continuous batching", ("streams", PLAIN), "≥", 1,
         ("streams", BATCHING)),
    # The chunk in flight is not among those begun.
    Goal("completion in a chat's prefill: chunks begun before", ("chat_chunks", PLAIN), "≤", 1),
    Goal("cancel: passes behind the last text", ("cancel_steps", PLAIN), "≤", 1),
    Goal("KV memory beside the formula", ("kv", ENGINE), "±", 5),
    Goal("growth of memory over 2000 requests", ("resident", ENGINE), "±", 2),
)  # fmt: skip


def judge(rows: Rows) -> Iterator[Verdict]:
    """Compare every goal with the figures of a run."""
    for goal in GOALS:
        reached = _reached(goal, rows)
        yield Verdict(goal, reached, "not measured" if reached is None else _met(goal, reached))


def _reached(goal: Goal, rows: Rows) -> float | None:
    mine = rows.get(*goal.mine)
    if mine is None:
        return None
    if goal.than is None:
        return mine * KINDS[goal.mine[0]].scale
    other = rows.get(*goal.than)
    return mine / other if other else None


def _met(goal: Goal, reached: float) -> Answer:
    if goal.bound == "±":
        return "yes" if abs(reached) <= goal.limit else "no"
    met = reached <= goal.limit if goal.bound == "≤" else reached >= goal.limit
    return "yes" if met else "no"
