"""Goals: what was wanted, what was reached, and what could not be said."""

import pytest

from opencoder_lsp.bench.engine import ENGINE, PLAIN
from opencoder_lsp.bench.rows import KINDS, Rows
from tests.benchmarks.goals import GOALS, Verdict, judge
from tests.benchmarks.peers import GENERATE, LLAMA, PEERS


def verdict(rows: Rows, title: str, *, stretch: bool = False) -> Verdict:
    """Return what becomes of one goal."""
    found = [v for v in judge(rows) if v.goal.title == title and v.goal.stretch == stretch]
    assert len(found) == 1
    return found[0]


def test_every_goal_names_rows_and_targets_that_there_are() -> None:
    for goal in GOALS:
        for kind, target in filter(None, (goal.mine, goal.than)):
            assert kind in KINDS
            assert target in (ENGINE, PLAIN, *PEERS)


def test_without_figures_nothing_is_reached_nor_missed() -> None:
    verdicts = list(judge(Rows()))
    assert len(verdicts) == len(GOALS)
    assert {(one.reached, one.answer) for one in verdicts} == {(None, "not measured")}


@pytest.mark.parametrize(("mine", "answer"), [(30.0, "yes"), (31.0, "yes"), (29.9, "no")])
def test_a_speed_is_to_be_some_times_that_of_a_peer(mine: float, answer: str) -> None:
    rows = Rows()
    rows.update("decode", {PLAIN: mine, GENERATE: 20.0})
    one = verdict(rows, "decode without lookup beside generate")
    assert one.answer == answer
    assert one.reached == pytest.approx(mine / 20)
    assert one.unit == "×"
    assert verdict(rows, "decode without lookup beside generate", stretch=True).answer == "no"


def test_a_time_may_be_some_times_that_of_a_peer() -> None:
    rows = Rows()
    rows.update("typing_first", {ENGINE: 0.030, LLAMA: 0.010})
    assert verdict(rows, "typing: first token beside llama-server's").answer == "yes"
    rows.add("typing_first", ENGINE, 0.031)
    assert verdict(rows, "typing: first token beside llama-server's").answer == "no"


def test_a_limit_without_a_peer_is_in_the_unit_of_its_row() -> None:
    rows = Rows()
    rows.add("host", PLAIN, 0.0095)
    one = verdict(rows, "host time per step")
    assert one.reached == pytest.approx(9.5)
    assert (one.answer, one.unit) == ("no", "ms")


@pytest.mark.parametrize(("growth", "answer"), [(0.019, "yes"), (-0.021, "no"), (0.021, "no")])
def test_memory_may_neither_grow_nor_shrink_by_much(growth: float, answer: str) -> None:
    rows = Rows()
    rows.add("resident", ENGINE, growth)
    assert verdict(rows, "growth of memory over 2000 requests").answer == answer


def test_eight_streams_are_compared_with_one_of_the_same_engine() -> None:
    rows = Rows()
    rows.add("streams", PLAIN, 71.0)
    rows.add("stream", PLAIN, 20.0)
    one = verdict(rows, "eight streams beside one")
    assert (one.reached, one.answer) == (3.55, "yes")
