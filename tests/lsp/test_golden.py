"""Every golden case by the real way: the stream piece by piece, its end, and what is then shown."""

import ast
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.lsp.ending import Ending
from opencoder_lsp.lsp.filters import Insertion, finish
from tests.lsp.golden import Case, cases

CASES = list(cases())
each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def streamed(case: Case, places: list[int]) -> tuple[Insertion | None, int | None]:
    """
    Return what is shown of a stream whose pieces end at these places, and where it was closed.

    That is None where it came to its end.
    """
    ending, model = Ending(case.place), case.model
    for start, end in pairwise([0, *places, len(model)]):
        text, done = ending.cut(model[:end])
        if done and end > start:
            assert ending.cut(model[:end], final=False) == (text, True)
            return finish(case.place, text), end
    text, _ = ending.cut(model, final=True, truncated=case.truncated)
    return finish(case.place, text), None


def parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def test_there_are_enough_cases_and_none_twice() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 90
    assert len({case.place.language for case in CASES}) >= 10


@each_case
def test_shown_is(case: Case) -> None:
    insertion, closed = streamed(case, list(range(1, len(case.model))))
    shown = None if insertion is None else insertion.text
    assert shown == case.shown
    if insertion is not None:
        assert case.place.suffix[: insertion.replaced] == case.replaced
    if case.closed is not None:
        assert case.model[:closed] == case.model[: case.closed]


@given(st.data())
def test_it_does_not_matter_how_the_stream_is_cut_into_pieces(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    places = data.draw(st.sets(st.integers(1, max(1, len(case.model) - 1))))
    insertion, _ = streamed(case, sorted(places))
    assert (None if insertion is None else insertion.text) == case.shown


def test_python_that_parsed_still_does() -> None:
    breakable = [
        case
        for case in CASES
        if case.place.language == "python" and case.shown and parses(case.document)
    ]
    assert len(breakable) >= 30
    for case in breakable:
        suffix = case.place.suffix[len(case.replaced) :]
        assert parses(case.place.prefix + (case.shown or "") + suffix), case.name
