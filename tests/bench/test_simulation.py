"""Simulated typists: the times follow from the costs and the engine's schedule."""

import math

import pytest

from opencoder_lsp.bench.chats import Chats
from opencoder_lsp.bench.costs import Costs
from opencoder_lsp.bench.load import Load, percentile
from opencoder_lsp.bench.simulation import Shape, Simulation, carried
from opencoder_lsp.bench.typist import Ask, Typing

COSTS = Costs(step=0.010, row=0.002, token=0.001, request=0.005)
NEW = Ask(prompt=100, base=-1, kept=0, tokens=11, left=None, gap=1.0)
KNOWN = Ask(prompt=100, base=0, kept=100, tokens=11, left=None, gap=1.0)
READ = (NEW, *[KNOWN] * 99)  # one file, in which nothing changes


def simulate(
    *asks: Ask,
    typists: int = 1,
    seconds: float = 60,
    slots: int = 8,
    queue: int = 32,
    chats: Chats | None = None,
) -> Load:
    shape = Shape(COSTS, slots, chunk=256, queue=queue)
    return Simulation(Typing(asks), shape, chats).run(typists, seconds)


def alone(new: int, tokens: int = 11) -> float:
    """Return how long an answer takes that shares the engine with nobody."""
    return COSTS.request + COSTS.seconds(1, new) + (tokens - 1) * COSTS.seconds(1, 1)


def test_one_typist_waits_for_what_is_new_in_the_prompt_and_for_the_tokens() -> None:
    grown = Ask(prompt=105, base=0, kept=100, tokens=11, left=None, gap=1.0)
    load = simulate(NEW, grown)
    # Every second request is in another file.
    assert min(load.latencies) == pytest.approx(alone(new=5))
    assert max(load.latencies) == pytest.approx(alone(new=100))
    assert len(load.latencies) == load.asked - 1  # the first one is left out
    assert 0.4 < load.cached < 0.6


def test_of_a_prompt_that_was_asked_before_one_token_is_computed() -> None:
    load = simulate(*READ)
    assert load.p50 == pytest.approx(alone(new=1))
    assert load.cached > 0.9


def test_a_typist_asks_again_a_while_after_the_answer() -> None:
    load = simulate(*READ, seconds=100)
    assert load.asked == pytest.approx(100 / (1.0 + alone(new=1)), abs=3)
    assert load.busy == pytest.approx(load.asked * (alone(new=1) - COSTS.request), rel=0.1)


def test_answers_that_are_left_are_not_waited_for_and_give_back_their_slot() -> None:
    hasty = Ask(prompt=100, base=0, kept=100, tokens=10_000, left=0.1, gap=0.2)
    load = simulate(NEW, *[hasty, KNOWN] * 50, slots=1)
    assert load.left == pytest.approx(load.asked / 2, abs=2)
    assert len(load.latencies) == pytest.approx(load.asked / 2, abs=2)
    # Nobody waits in line behind the one that was left …
    assert load.p95 < 0.4
    # … and the engine is not at work on it when it could rest.
    assert load.busy is not None
    assert load.busy < 0.6 * load.seconds


def test_several_typists_share_the_steps() -> None:
    latencies = [simulate(*READ, typists=typists).p50 for typists in (1, 4, 8)]
    assert latencies == sorted(latencies)
    # Eight in a step cost 26 ms a token, where one costs 12: far less than eight times as much.
    assert latencies[-1] < 3 * latencies[0]


def test_with_fewer_slots_than_typists_prompts_are_forgotten() -> None:
    many, few = (simulate(*READ, typists=6, slots=slots) for slots in (6, 2))
    assert many.cached > 0.9
    assert few.cached < 0.3
    assert few.p95 > many.p95


def test_who_finds_the_queue_full_is_refused_and_waits_for_ever() -> None:
    load = simulate(*READ, typists=12, slots=1, queue=0)
    assert load.refused > 0
    assert load.p95 == math.inf
    assert load.as_json()["p95_ms"] is None


def test_chats_take_time_and_slots_but_a_completion_waits_for_no_whole_one() -> None:
    chats = Chats(per_hour=360, prompt=1000, tokens=400)
    without, load = (simulate(*READ, typists=2, seconds=600, chats=own) for own in (None, chats))
    assert load.busy is not None
    assert without.busy is not None
    assert without.chats == []
    assert len(load.chats) > 20
    assert min(load.chats) >= alone(new=1000, tokens=400)
    assert load.busy > without.busy + 20 * alone(new=0, tokens=400)
    # A chunk of a chat's prompt is the most that is in the way, of an answer in eleven steps.
    assert without.p95 < load.p95 < without.p95 + COSTS.seconds(1, 256) + 11 * COSTS.row * 2


def test_chats_find_a_full_queue_like_everybody() -> None:
    chats = Chats(per_hour=3600, prompt=1000, tokens=400)
    load = simulate(NEW, *[KNOWN] * 99, typists=4, slots=1, queue=0, chats=chats)
    assert load.refused > 0
    assert load == simulate(NEW, *[KNOWN] * 99, typists=4, slots=1, queue=0, chats=chats)


def test_the_same_typists_wait_as_long_each_time() -> None:
    assert simulate(*READ, typists=5) == simulate(*READ, typists=5)


@pytest.mark.parametrize("most", [0, 1, 2, 5, 7, 8, 100])
def test_the_search_finds_the_largest_number_within_the_limit(most: int) -> None:
    asked = list[int]()

    def load(typists: int) -> Load:
        asked.append(typists)
        return Load(typists, 1.0, latencies=[0.4 if typists <= most else 0.6])

    assert carried(load, 0.5, 64) == min(most, 64)
    assert len(asked) <= 13


def test_a_percentile_of_nothing_is_never_reached() -> None:
    assert percentile([], 0.95) == math.inf
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([*range(100)], 0.95) == 95
