"""Bootstrap intervals and percentiles."""

import random

import pytest

from opencoder_lsp.bench.intervals import paired, percentile


def test_an_interval_is_around_the_mean_and_the_same_for_the_same_seed() -> None:
    chance = random.Random(1)
    values = [chance.gauss(1, 2) for _ in range(400)]
    interval = paired(values, 7)
    assert interval is not None
    assert interval.count == 400
    assert interval.mean == pytest.approx(sum(values) / 400)
    # The textbook's interval of a mean: 1.96 standard errors to both sides.
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    assert interval.low < interval.mean < interval.high
    assert paired(values, 7) == interval
    assert paired(values, 8) != interval


def test_differences_that_are_all_alike_have_no_spread() -> None:
    interval = paired([0.5] * 10, 7)
    assert interval is not None
    assert (interval.low, interval.mean, interval.high) == (0.5, 0.5, 0.5)


def test_the_interval_of_nothing_is_none() -> None:
    assert paired([], 7) is None


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3.0], 0.5, 3.0),
        ([3.0], 0.0, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 0.95, 4.0),
        (list(map(float, range(1, 101))), 0.95, 95.0),
    ],
)
def test_a_percentile_is_the_value_that_so_many_do_not_exceed(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected
