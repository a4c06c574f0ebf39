"""Means, percentiles and paired bootstrap intervals, by the standard library."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean

_RESAMPLES = 1000
_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of `count` paired differences, and where 95 % of its resampled means lie."""

    mean: float
    low: float
    high: float
    count: int


def paired(differences: Sequence[float], seed: int) -> Interval | None:
    """
    Return the percentile bootstrap of a mean; None where there is nothing to take it of.

    Source of the method: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.
    """
    if not differences:
        return None
    chance, count = random.Random(seed), len(differences)
    means = sorted(fmean(chance.choices(differences, k=count)) for _ in range(_RESAMPLES))
    outside = (1 - _SHARE) / 2
    low, high = percentile(means, outside), percentile(means, 1 - outside)
    return Interval(fmean(differences), low, high, count)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
