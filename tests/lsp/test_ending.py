"""Where a suggestion ends, for texts as models make them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.lsp.ending import Ending
from opencoder_lsp.prompt.completion import Place


def ending(prefix: str, suffix: str = "", language: str = "python") -> Ending:
    return Ending(Place("a.py", language, prefix, suffix))


def shown(prefix: str, text: str, suffix: str = "", language: str = "python") -> str:
    return ending(prefix, suffix, language).cut(text, final=True)[0]


@pytest.mark.parametrize(
    ("prefix", "suffix", "text", "expected"),
    [
        ("def add(a, b):\n    ", "", "return a + b\n```\nThis adds.", "return a + b"),
        ("def add(a, b):", "", "\n    return a + b\n\n\ndef sub(a, b):", "\n    return a + b"),
        ("def add(a, b):", "", "\n    return a + b\nprint(add(1, 2))", "\n    return a + b"),
        ("    x = 1", "", "\n    y = 2\nz = 3", "\n    y = 2"),
        ("import os", "", "\nimport sys\n\nx = 1", "\nimport sys"),
        ("class A:", "", "\n\n    def f():\n        pass", "\n\n    def f():\n        pass"),
        ("if a:", "", "\n    b\nelse:\n    c\nd", "\n    b\nelse:\n    c"),
        ("", "", "    return 1\n    pass\ndef g():", "    return 1\n    pass"),
        ("x = ", "", "1\n\n\n\n2", "1"),
    ],
    ids=[
        "fence", "blank", "dedent to the line", "dedent below the line", "blank, flat",
        "blank inside", "else", "empty line", "blanks",
    ],
)  # fmt: skip
def test_a_block_of_python_ends_where_the_block_ends(
    prefix: str, suffix: str, text: str, expected: str
) -> None:
    assert shown(prefix, text, suffix) == expected


def test_a_closing_bracket_belongs_to_the_block_and_ends_it() -> None:
    text = "\n  return 1;\n}\nfunction g() {"
    assert shown("function f() {", text, language="javascript") == "\n  return 1;\n}"


def test_a_bracket_that_is_closed_already_is_not_closed_again() -> None:
    assert shown("print(", '"a", f(1)) + 2', ")\n") == '"a", f(1)'
    assert shown("x = [", "1, 2]\nprint(x)", "]") == "1, 2"
    assert shown("function f() {", "\n  return 1;\n}", "}", "c") == "\n  return 1;\n"


def test_a_quote_that_is_closed_already_is_not_closed_again() -> None:
    assert shown('open("', 'a.txt", "r")', '")') == "a.txt"


@pytest.mark.parametrize(
    ("prefix", "suffix", "text", "expected"),
    [
        ("print(", ")", '":)", name)\n', '":)", name'),
        ("print(", ")", "':)', f\"a)\", `b)`) + 1", "':)', f\"a)\", `b)`"),
        ("print(", ")", '"a \\") b", c) + 1', '"a \\") b", c'),
        ("print('a)', ", ")", "'b)', c) + 1", "'b)', c"),
        ('print("a', ")", ' :)", b) + 1', ' :)", b'),
        ('f("a (', ')")', 'b) c")', "b"),
        ("f(", ")", "don't, isn't) or don't", "don't, isn't"),
        ("f(", ")", "1 # it's\n    , 2) + 'a'", "1 # it's\n    , 2"),
        ("f(", ")", 'it is "so) and', 'it is "so'),
    ],
    ids=[
        "smiley", "kinds", "escape", "strings left", "string begun left", "inside a string",
        "apostrophes", "apostrophe in a comment", "never closed",
    ],
)  # fmt: skip
def test_a_bracket_inside_a_string_closes_nothing(
    prefix: str, suffix: str, text: str, expected: str
) -> None:
    assert shown(prefix, text, suffix) == expected


def test_a_string_that_is_not_finished_yet_may_still_have_the_bracket_in_it() -> None:
    rules = ending("print(", ")")
    assert rules.cut('":)') == ('":)', False)
    assert rules.cut('":)", a)') == ('":)", a', True)
    assert rules.cut('":)\n') == ('":', True)


def test_a_quote_behind_a_backslash_closes_nothing() -> None:
    assert shown("x = '", "don\\'t' + y", "'") == "don\\'t"
    assert shown("x = '", "a\\\\' + y", "'") == "a\\\\"


def test_with_code_right_of_the_cursor_only_that_line_is_completed() -> None:
    assert shown("x = ", "compute(\n    1)", " + offset\n") == "compute("


def test_code_right_of_the_cursor_is_not_repeated() -> None:
    assert shown("f(", "a, key=b)", ", key=b)") == "a"


def test_the_line_below_is_not_repeated() -> None:
    text = "\n    b = 2\n    return a\n"
    assert shown("    a = 1", text, "\n    return a\n") == "\n    b = 2"


def test_in_markdown_a_shorter_fence_is_text() -> None:
    before = "Example:\n\n```python\n"
    assert shown(before, "x = 1\n```\n````\n", language="markdown") == "x = 1\n```"


@pytest.mark.parametrize("text", ["", "  ", "\n", "\n\n\n", "```\n", "\n```"])
def test_what_shows_nothing_is_nothing(text: str) -> None:
    assert shown("x = 1", text) == ""


def test_an_unfinished_last_line_is_dropped_where_the_token_limit_cut_it() -> None:
    cut = ending("def f():").cut("\n    a = 1\n    b = (", final=True, truncated=True)
    assert cut[0] == "\n    a = 1"
    assert ending("x = ").cut("compute(", final=True, truncated=True)[0] == "compute("


def test_the_engine_can_stop_as_soon_as_the_next_block_begins() -> None:
    rules = ending("def f():")
    assert rules.cut("\n    return 1\n") == ("\n    return 1\n", False)
    assert rules.cut("\n    return 1\n\nd") == ("\n    return 1", True)


codelike = st.text(st.sampled_from("ab \n\t()[]{}\"'`\\:#é"), max_size=60)


@given(codelike, codelike, codelike, st.sampled_from(["python", "markdown"]))
def test_what_is_shown_is_the_beginning_of_the_text(
    prefix: str, suffix: str, text: str, language: str
) -> None:
    for final in (False, True):
        assert text.startswith(ending(prefix, suffix, language).cut(text, final=final)[0])


@given(codelike, codelike, codelike, codelike)
def test_once_it_has_ended_more_text_changes_nothing(
    prefix: str, suffix: str, text: str, more: str
) -> None:
    rules = ending(prefix, suffix)
    now, done = rules.cut(text)
    if done:
        assert rules.cut(text + more) == (now, True)
