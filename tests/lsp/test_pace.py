"""How long a request waits, by a clock that stands still until a test moves it."""

import pytest

from opencoder_lsp.lsp.pace import Pace
from tests.fakes.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    """The pace of somebody with an engine that takes 0.3 s to its first text."""
    pace = Pace(clock)
    pace.answered(0.3)
    return pace


def press(pace: Pace, clock: Clock, seconds: float, times: int = 1) -> None:
    """Press a key as many seconds after the one before, each followed by a request."""
    for _ in range(times):
        clock.now += seconds
        pace.key()
        pace.asked()


def test_the_first_key_does_not_wait(pace: Pace, clock: Clock) -> None:
    press(pace, clock, 1.0)
    assert pace.delay("auto") == 0


def test_keys_that_come_faster_than_the_engine_answers_wait_for_the_next_one(
    pace: Pace, clock: Clock
) -> None:
    press(pace, clock, 0.12, times=10)
    assert pace.delay("auto") == pytest.approx(0.15)


def test_the_first_key_after_a_pause_does_not_wait(pace: Pace, clock: Clock) -> None:
    press(pace, clock, 0.12, times=10)
    press(pace, clock, 0.6)
    assert pace.delay("auto") == 0


def test_keys_do_not_wait_where_the_engine_answers_faster(clock: Clock) -> None:
    pace = Pace(clock)
    pace.answered(0.05)
    press(pace, clock, 0.12, times=10)
    assert pace.delay("auto") == 0


def test_nothing_waits_before_the_engine_has_been_heard(clock: Clock) -> None:
    pace = Pace(clock)
    press(pace, clock, 0.12, times=10)
    assert pace.delay("auto") == 0


def test_a_rhythm_is_learned_anew_when_it_changes(pace: Pace, clock: Clock) -> None:
    press(pace, clock, 0.05, times=20)
    assert pace.delay("auto") == pytest.approx(0.0625)
    press(pace, clock, 0.15, times=40)
    assert pace.delay("auto") == pytest.approx(0.1875, rel=0.01)


def test_nothing_waits_for_longer_than_a_quarter_of_a_second(pace: Pace, clock: Clock) -> None:
    pace.answered(30)
    press(pace, clock, 0.45, times=20)
    assert pace.delay("auto") == 0.25


def test_what_an_editor_waits_itself_is_not_waited_again(pace: Pace, clock: Clock) -> None:
    press(pace, clock, 0.12, times=10)
    clock.now += 0.1
    assert pace.delay("auto") == pytest.approx(0.05)
    clock.now += 0.1
    assert pace.delay("auto") == 0


def test_a_bracket_and_its_partner_are_one_key(pace: Pace, clock: Clock) -> None:
    press(pace, clock, 0.12, times=10)
    pace.key()
    assert pace.delay("auto") == pytest.approx(0.15)


def test_moving_the_cursor_is_a_key_as_well(pace: Pace, clock: Clock) -> None:
    for _ in range(10):
        clock.now += 0.04
        pace.asked()
    assert pace.delay("auto") == pytest.approx(0.05)


@pytest.mark.parametrize(("setting", "seconds"), [(0, 0), (75, 0.075)])
def test_a_fixed_time_is_waited_whatever_the_rhythm(
    pace: Pace, clock: Clock, setting: int, seconds: float
) -> None:
    assert pace.delay(setting) == seconds
    press(pace, clock, 0.1, times=10)
    assert pace.delay(setting) == seconds
