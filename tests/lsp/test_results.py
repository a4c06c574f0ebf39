"""Former results: where they are found again, and where not."""

import pytest

from opencoder_lsp.lsp.results import Known, Results
from tests.lsp.streams import place


def known(*texts: str, several: bool = False) -> Known:
    return Known(texts, several)


@pytest.fixture
def results() -> Results:
    """A result for `x = ` in a file of three lines."""
    results = Results()
    results.put(place("a\nx = ", "\nb"), known("foo(1)\n    bar"))
    return results


@pytest.mark.parametrize(
    ("prefix", "suffix", "text"),
    [
        ("a\nx = ", "\nb", "foo(1)\n    bar"),
        ("a\nx = fo", "\nb", "o(1)\n    bar"),
        ("a\nx = foo(", "\nb", "1)\n    bar"),
        ("a\nx = foo(", ")\nb", "1)"),  # the editor closed the bracket
        ("a\nx = foo(1)\r\n    ", "\nb", "bar"),
    ],
)
def test_a_result_is_found_where_it_was_made_and_where_some_of_it_was_typed(
    results: Results, prefix: str, suffix: str, text: str
) -> None:
    found = results.get(place(prefix, suffix))
    assert found is not None
    assert found.texts == (text,)


@pytest.mark.parametrize(
    ("typed", "rest"),
    [
        ("", "if x:\n        bar()"),
        ("if x:", "\n        bar()"),
        ("if x:\n\t\t", "bar()"),
        ("if x:\n        b", "ar()"),
    ],
)
def test_a_result_is_found_where_it_is_typed_as_it_was_shown(typed: str, rest: str) -> None:
    results = Results()
    shown = "if x:\n\t\tbar()"
    results.put(place("\t", "\n"), Known(("if x:\n        bar()",), shown=shown))
    found = results.get(place(f"\t{typed}", "\n"))
    assert found is not None
    assert found.texts[0] == rest
    assert results.get(place(f"\t{shown}", "\n")) is None


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("a\nx =", "\nb"),  # before it
        ("a\nx = g", "\nb"),  # something else was typed
        ("a\nx = foo(1)\n    bar", "\nb"),  # all of it was typed
        ("A\nx = ", "\nb"),  # something above has changed
        ("aa\nx = ", "\nb"),
        ("a\nx = ", "\nB"),  # something below has changed
        ("a\nx = ", ")\nb"),  # a bracket that nobody opened
        ("a\nx = ", ""),
    ],
)
def test_a_result_is_not_found_where_its_surroundings_have_changed(
    results: Results, prefix: str, suffix: str
) -> None:
    assert results.get(place(prefix, suffix)) is None


def test_changes_farther_away_than_a_prompt_reaches_do_not_matter() -> None:
    results, far = Results(), "#" * 50_000
    results.put(place(f"a{far}x = ", f"{far}b"), known("1"))
    assert results.get(place(f"c{far}x = ", f"{far}d")) == known("1")


def test_that_there_is_nothing_to_suggest_is_a_result_for_that_place_only() -> None:
    results = Results()
    results.put(place("x = 1"), known(""))
    assert results.get(place("x = 1")) == known("")
    assert results.get(place("x = 1 ")) is None


def test_the_result_of_the_nearest_place_counts() -> None:
    results = Results()
    results.put(place("x = fo"), known("r"))
    results.put(place("x = "), known("foo"))
    assert results.get(place("x = f")) == known("oo")
    assert results.get(place("x = fo")) == known("r")


def test_of_several_choices_those_are_left_that_agree_with_what_was_typed() -> None:
    results = Results()
    results.put(place("x = "), known("a1", "b1", "b2", several=True))
    assert results.get(place("x = ")) == known("a1", "b1", "b2", several=True)
    assert results.get(place("x = b")) == known("1", "2")
    assert results.get(place("x = b2")) is None


def test_only_the_latest_results_are_kept_and_using_one_counts() -> None:
    results = Results(size=2)
    results.put(place("a"), known("1"))
    results.put(place("b"), known("2"))
    assert results.get(place("a")) == known("1")
    results.put(place("c"), known("3"))
    assert len(results) == 2
    assert results.get(place("b")) is None
    assert results.get(place("a")) == known("1")


def test_the_line_ends_that_a_document_got_since_do_not_matter() -> None:
    results = Results()
    results.put(place("a\r\nif b:\r\n    ", "\r\nc"), known("d"))
    assert results.get(place("a\r\nif b:\r\n    ", "\r\nc")) == known("d")
