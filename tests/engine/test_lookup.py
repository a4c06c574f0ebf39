"""What is drafted from a request's own tokens, and when it is left alone."""

from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.engine.lookup import Lookup

PATTERN = list(range(100, 140))


def test_what_followed_the_last_tokens_before_is_drafted() -> None:
    assert Lookup([1, 2, 3, 4, 5, 6, 1, 2, 3]).draft(3) == (4, 5, 6)


def test_tokens_that_never_stood_before_give_no_draft() -> None:
    assert Lookup([1, 2, 3, 4]).draft(8) == ()


def test_the_longest_match_is_followed_not_the_latest() -> None:
    ids = [1, 2, 3, 4, 50, 9, 4, 60, 9, 1, 2, 3, 4]
    assert Lookup(ids).draft(1) == (50,)


def test_of_equally_long_matches_the_latest_is_followed() -> None:
    assert Lookup([7, 50, 8, 7, 60, 9, 7]).draft(1) == (60,)


def test_a_longer_match_gives_a_longer_draft() -> None:
    short = Lookup([*PATTERN, PATTERN[0]]).draft(50)
    long = Lookup([*PATTERN, *PATTERN[:8]]).draft(50)
    assert short == tuple(PATTERN[1:3])
    assert long == tuple(PATTERN[8:24])


def test_no_more_is_drafted_than_may_be_used() -> None:
    lookup = Lookup(PATTERN * 2)
    assert len(lookup.draft(5)) == 5
    assert lookup.draft(0) == ()
    assert lookup.draft(-1) == ()


def test_a_draft_ends_before_a_stop_id() -> None:
    lookup = Lookup([*PATTERN, *PATTERN[:8]])
    assert lookup.draft(9, {PATTERN[10]}) == (PATTERN[8], PATTERN[9])
    assert lookup.draft(9, {PATTERN[8]}) == ()


def test_a_loop_is_drafted_round_and_round() -> None:
    assert Lookup([5, 1, 2, 1, 2, 1, 2]).draft(5) == (1, 2, 1, 2, 1)


def test_tokens_that_come_later_are_found_too() -> None:
    ids = [1]
    lookup = Lookup(ids)
    assert lookup.draft(4) == ()
    for token in (2, 3, 4, 1):
        ids.append(token)
        found = lookup.draft(2)
    assert found == (2, 3)


def test_a_wrong_draft_is_not_tried_again_at_once() -> None:
    ids = [1, 2, 3, 1]
    lookup = Lookup(ids)
    assert lookup.draft(8)
    ids.append(9)
    lookup.learn(0)
    ids.append(1)
    assert lookup.draft(8) == ()


def test_long_matches_are_drafted_however_many_drafts_were_wrong() -> None:
    ids = [*PATTERN, *PATTERN[:16]]
    lookup = Lookup(ids)
    for _ in range(10):
        lookup.learn(0)
    assert lookup.draft(8) == tuple(PATTERN[16:24])


def test_short_matches_are_tried_again_now_and_then_and_at_once_after_a_right_draft() -> None:
    ids = [1, 2] * 3
    lookup = Lookup(ids)
    for _ in range(5):
        lookup.learn(0)
    waited = 0
    while not lookup.draft(2):
        ids += [1000 + waited, 1]
        waited += 1
        assert waited < 100
    assert waited > 20
    for _ in range(3):
        lookup.learn(1)
    ids += [5000, 1]
    assert lookup.draft(2)


def test_text_that_does_not_repeat_itself_costs_few_drafts() -> None:
    ids, drafts = list(range(50)), 0
    lookup = Lookup(ids)
    for n in range(1000):
        ids.append(n % 50 if n % 2 else 1000 + n)  # each old token stands somewhere, alone
        if lookup.draft(8):
            drafts += 1
            lookup.learn(0)
    assert 0 < drafts < 20


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 20), st.data())
def test_a_draft_continues_an_earlier_occurrence_of_the_last_token(
    tokens: list[int], most: int, data: st.DataObject
) -> None:
    ids = tokens[:1]
    lookup = Lookup(ids)
    for token in tokens[1:]:
        if data.draw(st.booleans()):
            drafted = lookup.draft(most)
            assert len(drafted) <= most
            if drafted:
                places = [n for n in range(len(ids) - 1) if ids[n] == ids[-1]]
                assert any(
                    (ids + list(drafted))[n + 1 :][: len(drafted)] == list(drafted) for n in places
                )
            lookup.learn(data.draw(st.integers(0, len(drafted))))
        ids.append(token)
