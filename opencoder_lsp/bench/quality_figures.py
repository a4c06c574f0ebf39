"""The figures of a quality run: of each mode, and of its differences to the bare prefix."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from opencoder_lsp.bench.holes import Hole
from opencoder_lsp.bench.intervals import Interval, paired, percentile
from opencoder_lsp.bench.modes import BASE, Mode
from opencoder_lsp.bench.results import Result

Value = Callable[[Result], float | None]
_VALUES: dict[str, Value] = {
    "exact": lambda result: float(result.exact),
    "similarity": lambda result: result.similarity,
    "likelihood": lambda result: result.likelihood,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """
    One mode. Shares are 0 to 1: of all holes for `shown`, `exact` (and its halves), else of what
    was shown. `likelihood` is the mean natural logarithm for a hole, and tokens are means for one.
    """

    holes: int
    shown: float
    exact: float
    exact_inside: float | None  # an identifier
    exact_in_front: float | None
    similarity: float
    likelihood: float | None
    parses: float | None
    unbroken: float | None
    repeats: int
    p50: float  # seconds
    p95: float
    computed: float | None
    generated: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What `mode` has more than `base` of `value`, on the same holes; `where` says which."""

    mode: str
    base: str
    value: str
    where: str
    interval: Interval


def figures(results: Iterable[Result], holes: Sequence[Hole]) -> dict[str, Figures]:
    """Return the figures of each mode that has answers, in the order in which they first came."""
    inside = {hole.id for hole in holes if hole.inside}
    by_mode: dict[str, list[Result]] = {}
    for result in results:
        by_mode.setdefault(result.mode, []).append(result)
    return {mode: _of(own, inside) for mode, own in by_mode.items()}


def differences(results: Iterable[Result], holes: Sequence[Hole], seed: int) -> list[Difference]:
    """
    Compare modes with the bare prefix, and those with context with what they are without.

    Log-likelihoods are compared only between prompts that end at the same place: with healing, or
    without. What context adds is also given apart for the holes whose answer names something that
    another file defines.
    """
    table: dict[str, dict[str, Result]] = {}
    for result in results:
        table.setdefault(result.mode, {})[result.hole] = result
    elsewhere = {hole.id for hole in holes if hole.elsewhere}
    found = list[Difference | None]()
    for mode in map(Mode.parse, table):
        for value in _VALUES:
            base = mode.base if value == "likelihood" else BASE
            found.append(_difference(table, mode.name, base, value, "all", None, seed))
        if mode.context:
            base = dataclasses.replace(mode, context=False).name
            for value in _VALUES:
                for where, only in (("all", None), ("elsewhere", elsewhere)):
                    found.append(_difference(table, mode.name, base, value, where, only, seed))
    return [difference for difference in found if difference is not None]


def as_json(modes: dict[str, Figures], compared: Sequence[Difference]) -> dict[str, Any]:
    """Return all of it for a script."""
    return {
        "modes": {mode: dataclasses.asdict(own) for mode, own in modes.items()},
        "differences": [dataclasses.asdict(difference) for difference in compared],
    }


def _of(results: Sequence[Result], inside: set[str]) -> Figures:
    seconds = [result.seconds for result in results]
    shown = [result for result in results if result.shown]
    within = [result for result in results if result.hole in inside]
    in_front = [result for result in results if result.hole not in inside]
    return Figures(
        holes=len(results),
        shown=len(shown) / len(results),
        exact=fmean(result.exact for result in results),
        exact_inside=_mean(result.exact for result in within),
        exact_in_front=_mean(result.exact for result in in_front),
        similarity=fmean(result.similarity for result in results),
        likelihood=_mean(result.likelihood for result in results),
        parses=_mean(result.parses for result in shown),
        unbroken=_mean(result.unbroken for result in shown),
        repeats=sum(result.repeats for result in results),
        p50=percentile(seconds, 0.5),
        p95=percentile(seconds, 0.95),
        computed=_mean(result.computed for result in results),
        generated=_mean(result.generated for result in results),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def _difference(
    table: dict[str, dict[str, Result]],
    mode: str,
    base: str,
    value: str,
    where: str,
    only: set[str] | None,
    seed: int,
) -> Difference | None:
    """Return a difference; None where it means nothing, or no hole has both."""
    if mode == base or base not in table:
        return None
    of = _VALUES[value]
    pairs = [
        (of(result), of(table[base][hole]))
        for hole, result in table[mode].items()
        if hole in table[base] and (only is None or hole in only)
    ]
    both = [mine - other for mine, other in pairs if mine is not None and other is not None]
    interval = paired(both, seed)
    return Difference(mode, base, value, where, interval) if interval else None
