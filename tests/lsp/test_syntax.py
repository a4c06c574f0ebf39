"""What is open at the end of a piece of code, language by language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.lsp.syntax import WINDOW, Reading, carried, open_at_end, read, syntax_of

PYTHON = syntax_of("python")
LANGUAGES = ["python", "c", "rust", "go", "javascript", "shellscript", "sql", "html", "css", "?"]


@pytest.mark.parametrize(
    ("language", "text", "inside", "brackets"),
    [
        ("python", "f(a, [b", "", "(["),
        ("python", 'print("a', '"', "("),
        ("python", 'print("a)")', "", ""),
        ("python", "x = 'it\\'s", "'", ""),
        ("python", "x = 'a\\\\", "'", ""),
        ("python", "rb'x", "'", ""),
        ("python", '"""a\nb', '"""', ""),
        ("python", '"""a\n"""(', "", "("),
        ("python", "# it's (", "#", ""),
        ("python", "# (\n[", "", "["),
        ("python", 'x = "never closed\ny = (', "", "("),
        ("c", "/* ( */ [", "", "["),
        ("c", "if (a) { // (", "//", "{"),
        ("c", "'(' + '\\'' + (", "", "("),
        ("rust", "fn f<'a>(x: &'a str", "", "("),
        ("go", "x := `a\n(", "`", ""),
        ("javascript", "`a ${b}` + {", "", "{"),
        ("shellscript", "echo don't (", "", "("),
        ("html", "<!-- it's (", "<!--", ""),
        ("markdown", "don't (", "", "("),
        ("unheard of", 'f("(" ', "", "("),
    ],
)
def test_strings_and_comments_hide_brackets(
    language: str, text: str, inside: str, brackets: str
) -> None:
    assert read(text, syntax_of(language)) == Reading(inside, brackets, ())


def test_brackets_that_nothing_opened_are_told_by_their_place() -> None:
    assert read("a) + b]", PYTHON).extra == (1, 6)
    assert read("a)", PYTHON, "(").extra == ()
    assert read("(a]", PYTHON) == Reading("", "(", (2,))


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("x = 1\n", ""),
        ('"""a\n', '"""'),
        ('"""a\nb', '"""'),
        ('"""a"""\n', ""),
        ('# """\n', ""),
        ("x = \"'''\"\n", ""),
        ("'''\n\"\"\"\n", "'''"),
    ],
)
def test_what_goes_on_in_the_cursors_line_is_known(text: str, mark: str) -> None:
    assert open_at_end(text[: text.rfind("\n") + 1], PYTHON) == mark


def test_a_string_that_ends_on_the_cursors_line_is_open_where_that_begins() -> None:
    text = '"""a\nb""" + c'
    assert open_at_end(text[:5], PYTHON) == '"""'


def test_of_a_very_long_text_the_end_is_read() -> None:
    text = '"""\n' + "x = 1\n" * WINDOW
    assert open_at_end(text, PYTHON) == ""


def test_only_what_may_have_several_lines_goes_on_in_the_next() -> None:
    for line, mark in (('"""a', '"""'), ('"a', ""), ('"a\\', '"'), ('"a\\\\', ""), ("# a", "")):
        assert carried(read(line, PYTHON), line, PYTHON) == mark


@given(st.text(st.sampled_from("a'\"`\\/*#-<!>()[]{}\n ")), st.sampled_from(LANGUAGES))
def test_reading_line_by_line_is_reading_at_once(text: str, language: str) -> None:
    syntax = syntax_of(language)
    mark = brackets = ""
    for line in text.split("\n"):
        reading = read(mark + line, syntax, brackets)
        mark, brackets = carried(reading, line, syntax), reading.brackets
    assert brackets == read(text, syntax).brackets
    assert reading.inside == read(text, syntax).inside
