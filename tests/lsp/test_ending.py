"""Where a suggestion ends, for texts that come piece by piece; most cases are in `golden`."""

import sys
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.lsp.ending import Ending
from opencoder_lsp.prompt.completion import Lines, Place

LANGUAGES = ["python", "markdown", "c", "javascript", "makefile", "unheard of"]
MODES: list[Lines] = ["auto", "single", "multi"]


def ending(
    prefix: str, suffix: str = "", language: str = "python", lines: Lines = "auto"
) -> Ending:
    return Ending(Place("a.py", language, prefix, suffix, lines))


def test_a_text_is_shown_as_it_grows() -> None:
    rules = ending("def f():")
    assert rules.cut("\n    ret") == ("\n    ret", False)
    assert rules.cut("\n    return 1\n") == ("\n    return 1\n", False)
    assert rules.cut("\n    return 1\n\nd") == ("\n    return 1", True)


def test_it_has_ended_only_when_the_line_has() -> None:
    rules = ending("x = ")
    assert rules.cut("1") == ("1", False)
    assert rules.cut("1\n") == ("1", True)


def test_an_unfinished_last_line_is_dropped_where_the_token_limit_cut_it() -> None:
    cut = ending("def f():").cut("\n    a = 1\n    b = (", final=True, truncated=True)
    assert cut[0] == "\n    a = 1"
    assert ending("x = ").cut("compute(", final=True, truncated=True)[0] == "compute("


def test_half_a_line_end_is_none() -> None:
    rules = ending("def f():")
    assert rules.cut("\n    a = 1\r") == ("\n    a = 1", False)
    assert rules.cut("\n    a = 1\r", final=True) == ("\n    a = 1", True)


@pytest.mark.parametrize("text", ["", "  ", "\n", "\n\n\n", "```\n", "\n```", " " * 300 + "x"])
def test_what_shows_nothing_is_nothing(text: str) -> None:
    assert ending("x = 1\n").cut(text, final=True)[0] == ""


def test_endless_blanks_are_not_read_to_their_end() -> None:
    assert ending("x = 1\n").cut(" " * 201) == ("", True)
    assert ending("x = 1\n").cut("y = 2\n" + " " * 201) == ("y = 2", True)


def test_blanks_in_front_of_code_on_the_line_are_kept() -> None:
    assert ending("if ", "a:").cut("not ", final=True)[0] == "not "


def test_a_bracket_that_was_opened_above_and_is_never_closed_may_be() -> None:
    rules = ending("int f(void)\n{\n\tg();", language="c")
    assert rules.cut("\n\treturn 1;\n}\nint x;") == ("\n\treturn 1;\n}", True)


def test_a_very_long_line_left_of_the_cursor_opens_nothing() -> None:
    rules = ending("x = [" + "1, " * 350_000)
    assert rules.cut("2\ny") == ("2", True)


codelike = st.text(st.sampled_from("ab \n\t()[]{}\"'`\\:#é</*-"), max_size=60)
languages = st.sampled_from(LANGUAGES)
modes = st.sampled_from(MODES)


@given(codelike, codelike, codelike, languages, modes)
def test_what_is_shown_is_the_beginning_of_the_text(
    prefix: str, suffix: str, text: str, language: str, lines: Lines
) -> None:
    for final in (False, True):
        rules = ending(prefix, suffix, language, lines)
        assert text.startswith(rules.cut(text, final=final)[0])


@given(codelike, codelike, codelike, codelike, languages, modes)
def test_once_it_has_ended_more_text_changes_nothing(
    prefix: str, suffix: str, text: str, more: str, language: str, lines: Lines
) -> None:
    rules = ending(prefix, suffix, language, lines)
    now, done = rules.cut(text)
    if done:
        assert rules.cut(text + more) == (now, True)
        assert rules.cut(text + more, final=True) == (now, True)


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=200), languages)
def test_any_text_has_an_end(prefix: str, suffix: str, text: str, language: str) -> None:
    ending(prefix, suffix, language).cut(text, final=True, truncated=True)


def calls_of(count: int) -> int:
    """Return how many Python functions a document and a text of a size make run."""
    place = Place("a.py", "python", "x = f(1)\n" * count, "y = g(2)\n" * count)
    text = "".join(f"a{number} = h({number})\n" for number in range(count))
    calls = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        Ending(place).cut(text, final=True)
    finally:
        sys.setprofile(None)
    return calls


def test_a_text_of_twice_the_size_is_twice_the_work() -> None:
    assert calls_of(4000) <= 2.1 * calls_of(2000)
