"""What was typed, where the editor closes brackets and quotes by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.lsp.typed import is_between, typed_into, typed_since, unclosed
from tests.lsp.streams import place

CODE = st.text(alphabet="ab \n()[]{}\"'", max_size=12)


@pytest.mark.parametrize(
    ("typed", "closers"),
    [
        ("foo(", ")"),
        ("foo([{", "}])"),
        ('print("', '")'),
        ("foo()", ""),
        ("foo(a)[", "]"),
        ("don't", ""),
        ("x = '", "'"),
        (")", ""),
    ],
)
def test_an_editor_closes_what_is_opened_the_innermost_first(typed: str, closers: str) -> None:
    assert unclosed(typed) == closers


@pytest.mark.parametrize(
    ("prefix", "suffix", "typed"),
    [
        ("x = foo", "\n", "foo"),
        ("x = ", "\n", ""),
        ("x = foo(", ")\n", "foo("),
        ("x = foo(", "\n", "foo("),
        ('x = foo("a', '")\n', 'foo("a'),
        ("x = foo(1)", "\n", "foo(1)"),
        ("x = \r\n  ", "\n", "\n  "),
        ("x = foo(", "]\n", None),  # nothing that was opened
        ("x = foo", ")\n", None),
        ("x = foo(", ")", None),  # what follows is another text
        ("y = ", "\n", None),
        ("x =", "\n", None),
    ],
)
def test_what_was_typed_is_found_or_that_it_was_something_else(
    prefix: str, suffix: str, typed: str | None
) -> None:
    assert typed_since(place("x = ", "\n"), place(prefix, suffix)) == typed


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("a = foo;", ["foo"]),
        ("a = foo();", ["foo()", "foo("]),
        ('a = foo("");', ['foo("")', 'foo(""', 'foo("']),
        ("a = foo(]);", ["foo(])", "foo(]"]),
        ("a = ;", [""]),
        ("a =;", []),
        ("b = foo;", []),
        ("a = foo", []),
    ],
)
def test_without_a_cursor_a_closed_bracket_may_be_typed_or_not(
    text: str, possible: list[str]
) -> None:
    assert list(typed_into(place("a = ", ";"), text)) == possible


@given(CODE, CODE, CODE)
def test_what_is_typed_is_among_what_may_have_been_typed(left: str, typed: str, right: str) -> None:
    assert typed in typed_into(place(left, right), left + typed + right)
    assert typed_since(place(left, right), place(left + typed, right)) == typed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = \n", True),
        ("x = foo(\n", True),
        ("x = foo()\n", True),  # the bracket is the editor's, or ours
        ("x = foo(1)\n", True),
        ("x = foo(1) \n", False),  # farther than the end
        ("x = bar\n", False),
        ("x =\n", False),  # before the start
        ("x = foo", False),
        ("", False),
    ],
)
def test_a_document_is_on_its_way_to_an_accepted_suggestion_or_not(
    text: str, expected: bool
) -> None:
    start, end = place("x = ", "\n"), place("x = foo(1)", "\n")
    assert is_between(start, end, text) is expected


def test_a_bracket_that_is_going_to_be_replaced_is_on_the_way() -> None:
    start, end = place("foo(", ")\n"), place("foo(1)", "\n")
    assert is_between(start, end, "foo()\n")
    assert is_between(start, end, "foo(1)\n")
    assert not is_between(start, end, "foo(2)\n")
