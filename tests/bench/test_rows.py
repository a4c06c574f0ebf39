"""Figures in their units, and how they compare."""

import pytest

from opencoder_lsp.bench.rows import Rows, advantage


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "times"),
    [("decode", 30.0, 20.0, 1.5), ("typing_first", 0.03, 0.06, 2.0), ("host", 0.02, 0.01, 0.5)],
)
def test_more_speed_and_less_time_are_an_advantage(
    kind: str, ours: float, theirs: float, times: float
) -> None:
    rows = Rows()
    rows.update(kind, {"us": ours, "them": theirs})
    assert advantage(rows, kind, "us", "them") == pytest.approx(times)


def test_what_was_not_measured_or_is_neither_good_nor_bad_is_not_compared() -> None:
    rows = Rows()
    rows.add("decode", "us", 30.0)
    rows.update("memory", {"us": 1.0, "them": 2.0})
    rows.update("cancel_ms", {"us": 0.0, "them": 2.0})
    assert advantage(rows, "decode", "us", "them") is None
    assert advantage(rows, "prefill", "us", "them") is None
    assert advantage(rows, "memory", "us", "them") is None
    assert advantage(rows, "cancel_ms", "us", "them") is None


def test_figures_are_shown_in_the_unit_of_their_row() -> None:
    rows = Rows()
    rows.add("typing_first", "us", 0.0123)
    rows.add("bandwidth", "us", 41.26e9)
    assert rows.shown("typing_first", "us") == "12.3"
    assert rows.shown("bandwidth", "us") == "41.3"
    assert rows.shown("bandwidth", "them") == ""
    first, second = rows.as_json()
    assert (first["row"], first["unit"]) == ("bandwidth", "GB/s")
    assert second["values"]["us"] == pytest.approx(12.3)
