"""The requests of typists."""

import itertools

import pytest

from opencoder_lsp.bench.typist import Ask, Typing
from opencoder_lsp.engine.slots import common_prefix

ASKS = [
    Ask(prompt=50, base=-1, kept=0, tokens=4, left=None, gap=1.0),
    Ask(prompt=60, base=0, kept=50, tokens=64, left=0.1, gap=0.5),
    Ask(prompt=30, base=0, kept=20, tokens=4, left=None, gap=2.0),
]


def test_prompts_have_as_much_in_common_as_was_recorded() -> None:
    # One that begins at the first request.
    number = next(n for n in range(99) if next(Typing(ASKS).typist(n)[1])[0] is ASKS[0])
    wait, asks = Typing(ASKS).typist(number)
    assert 0 <= wait < 2
    (_, first), (_, second), (_, third) = itertools.islice(asks, 3)
    assert [len(prompt) for prompt in (first, second, third)] == [50, 60, 30]
    assert common_prefix(first, second, 100) == 50
    assert common_prefix(first, third, 100) == common_prefix(second, third, 100) == 20


def test_typists_begin_at_places_of_their_own_and_share_nothing() -> None:
    typing = Typing(ASKS)
    begun = [next(typing.typist(number)[1]) for number in range(20)]
    assert {ask for ask, _ in begun} == set(ASKS)
    assert len({prompt[0] for _, prompt in begun}) == 20


def test_a_typist_goes_on_for_ever_each_time_in_another_file() -> None:
    typing = Typing(ASKS)
    again = [list(itertools.islice(typing.typist(5)[1], 10)) for _ in range(2)]
    assert again[0] == again[1]
    order = [ASKS.index(ask) for ask, _ in again[0]]
    assert all(after == (before + 1) % 3 for before, after in itertools.pairwise(order))
    files = [prompt[0] for _, prompt in again[0]]
    for number, (before, after) in enumerate(itertools.pairwise(files)):
        assert (before == after) == (order[number] != 2)


@pytest.mark.parametrize(("base", "kept"), [(0, 51), (1, 1), (-1, 5)])
def test_a_prompt_cannot_keep_what_was_not_there(base: int, kept: int) -> None:
    with pytest.raises(ValueError, match="request 1 keeps"):
        Typing([ASKS[0], Ask(60, base, kept, 4, None, 1.0)])


def test_the_recorded_requests_are_those_of_somebody_who_types_fast() -> None:
    asks = Typing.recorded().asks
    left = [ask for ask in asks if ask.left is not None]
    assert len(asks) >= 20
    assert 0 < len(left) < len(asks)
    assert all(ask.left is None or ask.left <= ask.gap for ask in asks)
    # Most prompts are known but for a few tokens: that is what slots are for.
    grown = [ask.prompt - ask.kept for ask in asks]
    assert sum(new < 50 for new in grown) > len(asks) / 2
    assert max(grown) > 500
