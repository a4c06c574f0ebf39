"""What is shown, for any text at any place; the cases are in `golden`."""

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opencoder_lsp.lsp.filters import Insertion, finish
from opencoder_lsp.prompt.completion import Place

LANGUAGES = ["python", "markdown", "c", "rust", "javascript", "go", "makefile", "yaml", "?"]
languages = st.sampled_from(LANGUAGES)
codelike = st.text(st.sampled_from("ab \n\t()[]{}\"'`\\:#é=,;"), max_size=50)
SUITE = [
    "a = 1",
    "b = f(a, [2])",
    "if a:",
    "else:",
    "    c = {'k': (a)}",
    "    return",
    '    """A text."""',
    "",
    "x = (",
    ")",
]
snippets = st.lists(st.sampled_from(SUITE), max_size=8).map("\n".join)


def place(prefix: str, suffix: str = "", language: str = "python") -> Place:
    return Place("file", language, prefix, suffix)


def parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True


def line_end(suffix: str) -> int:
    return min(suffix.find(mark) if mark in suffix else len(suffix) for mark in "\r\n")


@given(codelike, codelike, codelike, languages)
def test_what_is_replaced_is_right_of_the_cursor_on_its_line_and_written_again(
    prefix: str, suffix: str, text: str, language: str
) -> None:
    insertion = finish(place(prefix, suffix, language), text)
    if insertion is None:
        return
    assert insertion.text.strip()
    assert 0 <= insertion.replaced <= line_end(suffix)
    remaining = iter(insertion.text)
    assert all(character in remaining for character in suffix[: insertion.replaced])
    assert insertion.text != suffix[: insertion.replaced]


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=120), languages, st.booleans())
@example("\ud800", "\udfff", "\udc00", "python", False)
@example("‮", "é́", "‏אב", "?", True)
def test_any_text_is_shown_or_not(
    prefix: str, suffix: str, text: str, language: str, partial: bool
) -> None:
    finish(place(prefix, suffix, language), text, partial=partial)


@given(snippets, snippets, snippets, st.sampled_from(["", "\n"]))
def test_nothing_shown_ends_with_what_follows(
    above: str, text: str, below: str, line_break: str
) -> None:
    prefix, suffix = above + line_break, "\n" + below
    insertion = finish(place(prefix, suffix), text)
    next_line = next((line.strip() for line in below.split("\n") if line.strip()), "")
    if insertion is None or not any(map(str.isalnum, next_line)):
        return
    written = (prefix[prefix.rfind("\n") + 1 :] + insertion.text).rstrip().split("\n")
    assert next_line not in [line.strip() for line in written]


@given(snippets, snippets, codelike | snippets)
def test_python_that_parsed_still_does(above: str, below: str, text: str) -> None:
    here = place(above + "\n", "\n" + below)
    insertion = finish(here, text)
    if insertion is not None and parses(here.prefix + here.suffix):
        assert parses(here.prefix + insertion.text + here.suffix[insertion.replaced :])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_of_a_megabyte_is_no_reason_to_wait(language: str) -> None:
    long = "f('a', " * 150_000
    for prefix, suffix in ((long, ""), ("x = ", long), (long, "\n" + long), (long + "\n", long)):
        finish(place(prefix, suffix, language), "b, c)\n" * 20)
    finish(place("x = ", "", language), long)


def test_while_a_suggestion_grows_it_may_be_unfinished() -> None:
    here = place("def f():\n    x = 1", "\n")
    assert finish(here, "\n    y = (") is None
    assert finish(here, "\n    y = (", partial=True) == Insertion("\n    y = (")


def test_what_was_typed_of_a_suggestion_does_not_change_the_rest() -> None:
    text, left = "print(len(values), end='')", "    "
    for typed in range(len(text)):
        rest = finish(place(f"def f():\n{left}{text[:typed]}", "\n"), text[typed:])
        assert rest == Insertion(text[typed:])


def test_line_ends_of_the_file_are_those_of_the_editor_to_write() -> None:
    here = place("def f():\r\n    a = 1", "\r\n    return a\r\n")
    assert finish(here, "\r\n    b = 2\r\n    return a\r\n") == Insertion("\n    b = 2")
