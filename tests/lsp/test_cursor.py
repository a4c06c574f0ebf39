"""A place, taken apart."""

import pytest

from opencoder_lsp.lsp.cursor import REACH, Cursor, blanks, indent
from opencoder_lsp.prompt.completion import Place


def cursor(prefix: str, suffix: str = "", language: str = "python") -> Cursor:
    return Cursor.of(Place("a.py", language, prefix, suffix))


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_lines_around_the_cursor_are_those_that_are_not_blank(line_break: str) -> None:
    before, after = "a\n\n  b\nc = f(", "), d  \n\n\te\nf\n"
    here = cursor(before.replace("\n", line_break), after.replace("\n", line_break))
    assert (here.line, here.rest) == ("c = f(", "), d")
    assert here.above == ("a", "  b")
    assert here.below == ("\te", "f")
    assert here.left.brackets == "("


@pytest.mark.parametrize(
    ("prefix", "suffix", "is_open", "is_blank", "is_in_text"),
    [
        ("", "", True, True, False),
        ("x\n  ", " \ny", True, True, False),
        ("f('", "')", True, False, False),
        ("f(", ", b)", False, False, False),
        ("# a", "", True, False, True),
        ('"""a\nb ', "", True, False, True),
        ('"""a\nb""" + ', "", True, False, False),
    ],
)
def test_kinds_of_places(
    prefix: str, suffix: str, is_open: bool, is_blank: bool, is_in_text: bool
) -> None:
    here = cursor(prefix, suffix)
    assert (here.is_open, here.is_blank, here.is_in_text) == (is_open, is_blank, is_in_text)


def test_brackets_are_read_with_what_is_left_of_the_cursor() -> None:
    here = cursor('"""(\n""" + f(')
    assert here.reading("a) + b)").extra == (6,)
    assert here.reading("a").brackets == "("


def test_a_bracket_that_is_closed_below_is_closed_there() -> None:
    assert cursor("f(\n  g(a", "\n)\n").closed_below(", b))") == 4
    assert cursor("f(\n  g(a", "\n").closed_below(", b))") is None
    assert cursor("f(\n  g(a", ")\n)\n").closed_below(", b))") is None
    assert cursor("h(\nf(\n  g(a", "\n)\n").closed_below(", b))") is None


def test_no_more_of_a_file_is_looked_at_than_decides() -> None:
    here = cursor("x = 1\n" * 9000 + "y", "\n" + "z\n" * 9000)
    assert sum(map(len, here.above)) <= REACH
    assert sum(map(len, here.below)) <= REACH
    assert cursor("(" * (REACH + 1)).left.brackets == ""


def test_a_tab_has_four_columns() -> None:
    assert [indent(line) for line in ("a", "  a", "\ta", " \ta", "")] == [0, 2, 4, 4, 0]
    assert blanks("\t  a b") == "\t  "
