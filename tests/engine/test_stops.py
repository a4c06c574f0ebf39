"""Stop strings, right across the borders of tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.engine.request import Finish, Params, Score, Scored
from opencoder_lsp.engine.stops import Stops
from opencoder_lsp.prompt.stops import StopText
from tests.engine.test_generation import Bench
from tests.fakes.runner import FakeRunner

TEXTS = st.text("abc\n", max_size=30)
STOPS = st.lists(st.text("abc\n", min_size=1, max_size=4), min_size=1, max_size=4)


def shown(text: StopText, pieces: list[str]) -> str:
    """Return all that is shown of an answer in these pieces."""
    parts = list[str]()
    for piece in pieces:
        parts.append(text.push(piece))
        if text.found:
            return "".join(parts)
    return "".join([*parts, text.rest()])


def expected(text: str, stops: list[str]) -> str:
    """Return what is in front of the stop string that is complete first."""
    ends = range(1, len(text) + 1)
    first = next((text[:end] for end in ends if text[:end].endswith(tuple(stops))), None)
    if first is None:
        return text
    return first[: -max(len(stop) for stop in stops if first.endswith(stop))]


@pytest.mark.fault("F49")
@given(TEXTS, STOPS, st.lists(st.integers(0, 30)))
def test_where_a_text_is_cut_changes_nothing(text: str, stops: list[str], cuts: list[int]) -> None:
    borders = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in zip(borders, borders[1:], strict=False)]
    assert shown(StopText(stops), pieces) == expected(text, stops)


@given(TEXTS, STOPS)
def test_only_what_may_begin_a_stop_string_is_held_back(text: str, stops: list[str]) -> None:
    stopping = StopText(stops)
    said = ""
    for end, character in enumerate(text, 1):
        said += stopping.push(character)
        if stopping.found:
            return
        held = text[len(said) : end]
        assert not held or any(stop.startswith(held) for stop in stops)


def test_the_forced_prefix_may_hold_a_stop_string() -> None:
    stopping = StopText(["\n"], skip=3)
    assert [stopping.push(piece) for piece in ("a\n", "\nb", "c\nd")] == ["a\n", "\nb", "c"]
    assert stopping.found


def test_a_stop_string_ends_an_answer_within_a_token_or_over_several() -> None:
    for stop in ("c", "cde", "de"):
        bench = Bench(FakeRunner())
        one = bench.add(params=Params(max_tokens=9, stop=("x", stop)))
        bench.run()
        assert bench.text(one) == "abcdefghi"[: "abcdefghi".index(stop)]
        assert bench.end(one) == Finish("stop", 5, "abcdefghi".index(stop) + len(stop), 0)


def test_an_answer_that_ends_otherwise_has_what_was_held_back() -> None:
    bench = Bench(FakeRunner())
    long = bench.add(params=Params(max_tokens=4, stop=("cdx",)))
    short = bench.add(params=Params(max_tokens=9, stop=("cdx",), stop_ids=frozenset({ord("e")})))
    bench.run()
    assert (bench.text(long), bench.text(short)) == ("abcd", "abcd")
    assert bench.end(long) == Finish("length", 5, 4, 0)


def test_a_stop_string_with_the_last_token_allowed_is_a_stop() -> None:
    bench = Bench(FakeRunner())
    one = bench.add(params=Params(max_tokens=4, stop=("cd",)))
    bench.run()
    assert bench.text(one) == "ab"
    assert bench.end(one) == Finish("stop", 5, 4, 0)


def test_tokens_with_scores_are_shown_whole_and_in_order() -> None:
    stops = Stops(["c\nd"], 0)
    tokens = [
        Scored(text, Score(n, -1.0, ())) for n, text in enumerate(["ab", "c", "", "\n", "de"])
    ]
    passed = [[event for event in stops.push(token)] for token in tokens]
    assert passed == [[tokens[0]], [], [], [], []]
    assert stops.found
    assert list(stops.rest()) == []
    stops = Stops(["c\nd"], 0)
    passed = [[event for event in stops.push(token)] for token in tokens[:4]]
    assert list(stops.rest()) == tokens[1:4]


def test_a_token_that_holds_the_beginning_of_a_stop_string_is_cut() -> None:
    stops = Stops(["\n\n"], 0)
    tokens = [Scored(text, Score(n, -1.0, ())) for n, text in enumerate(["a;\n", "\nb"])]
    assert [list(stops.push(token)) for token in tokens] == [
        [],
        [Scored("a;", Score(0, -1.0, ()))],
    ]
