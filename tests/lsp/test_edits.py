"""Where a document was edited lately."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from opencoder_lsp.lsp.documents import Document
from opencoder_lsp.lsp.edits import MOST, Places, with_changes

Change = types.TextDocumentContentChangePartial


def change(first: int, last: int, text: str) -> Change:
    span = types.Range(types.Position(first, 0), types.Position(last, 0))
    return Change(span, text)


@pytest.mark.parametrize(
    ("places", "edit", "expected"),
    [
        ((), change(5, 5, "x"), ((5, 5),)),
        ((), change(5, 5, "a\nb\n"), ((5, 7),)),
        (((5, 5),), change(6, 6, "x"), ((5, 6),)),
        (((50, 52),), change(5, 5, "a\nb\n"), ((5, 7), (52, 54))),
        (((50, 52),), change(5, 8, ""), ((5, 5), (47, 49))),
        (((5, 5),), change(50, 50, "x"), ((50, 50), (5, 5))),
        (((1, 30),), change(32, 32, "\n" * 30), ((32, 62), (1, 30))),
        (((1, 1), (100, 100), (200, 200)), change(300, 300, "x"), ((300, 300), (1, 1), (100, 100))),
    ],
)
def test_places_follow_what_is_typed(places: Places, edit: Change, expected: Places) -> None:
    assert with_changes(places, [edit]) == expected


def test_a_text_that_is_new_as_a_whole_has_no_places() -> None:
    whole = types.TextDocumentContentChangeWholeDocument("x")
    assert with_changes(((5, 5),), [whole]) == ()


@given(
    st.lists(
        st.builds(change, st.integers(0, 80), st.integers(0, 80), st.text("a\n", max_size=20)),
        min_size=1,
    )
)
def test_the_newest_place_is_where_the_newest_text_is(changes: list[Change]) -> None:
    document = Document("file:///a.py", "python", 1, "line\n" * 60)
    places: Places = ()
    for number, edit in enumerate(changes):
        edit.text += f"mark {number}"
        places = with_changes(places, [edit])
        document.apply([edit])
        assert 1 <= len(places) <= MOST
        lines = document.text.split("\n")
        marked = next(n for n, line in enumerate(lines) if f"mark {number}" in line)
        first = min(edit.range.start.line, edit.range.end.line)
        if first < 60 - 20:  # positions past the end mean the end
            assert places[0][0] <= max(marked, first)
