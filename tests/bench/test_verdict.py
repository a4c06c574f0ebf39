"""What is said of a suggestion at a hole."""

import pytest

from opencoder_lsp.bench.holes import Hole
from opencoder_lsp.bench.verdict import Suggestion, Verdict, judge, similarity


def hole(text: str, *, path: str = "a.py") -> Hole:
    """Make a hole of a text: `‹` is the cursor, `›` ends what was taken away, `~` its tail."""
    prefix, rest = text.split("‹")
    taken, suffix = rest.split("›")
    truth, _, tail = taken.partition("~")
    line = prefix.count("\n")
    column = len(prefix) - prefix.rfind("\n") - 1
    return Hole("work", path, line, column, False, False, prefix, truth, tail, suffix)


def shown(at: Hole, text: str, *, covers: int = 0, before: int = 0) -> Verdict:
    """Judge a text at the cursor that replaces so many characters around it."""
    start, end = at.character - before, at.character + covers
    return judge(at, Suggestion(text, (at.line, start), (at.line, end)))


RETURN = hole("def f(a, b):\n    return ‹a + b›\n\n\nprint(f(1, 2))\n")


def test_the_true_rest_of_the_line_is_exact() -> None:
    verdict = shown(RETURN, "a + b")
    assert verdict == Verdict(True, True, 1.0, True, True, False)


def test_blanks_at_the_end_do_not_count() -> None:
    assert shown(RETURN, "a + b  ").exact


def test_only_the_rest_of_the_cursors_line_is_compared() -> None:
    verdict = shown(RETURN, "a + b\n\n\ndef g():\n    pass")
    assert verdict.exact
    assert verdict.parses
    assert not verdict.repeats


def test_another_text_is_similar_by_the_characters_to_change() -> None:
    verdict = shown(RETURN, "a - b")
    assert not verdict.exact
    assert verdict.similarity == pytest.approx(0.8)


@pytest.mark.parametrize("suggestion", [None, Suggestion("", (1, 11), (1, 11))])
def test_nothing_shown_is_not_exact_and_breaks_nothing(suggestion: Suggestion | None) -> None:
    assert judge(RETURN, suggestion) == Verdict(False, False, 0.0, None, None, False)


def test_a_file_that_parsed_with_its_hole_and_does_no_more_is_broken() -> None:
    verdict = shown(RETURN, "a + (b")
    assert (verdict.parses, verdict.unbroken) == (False, False)


def test_a_file_that_did_not_parse_with_its_hole_cannot_be_broken() -> None:
    verdict = shown(hole("x = ‹1›\n"), "(")
    assert (verdict.parses, verdict.unbroken) == (False, True)


def test_other_languages_are_not_parsed() -> None:
    verdict = shown(hole("int x = ‹1;›\n", path="a.c"), "1;")
    assert verdict.exact
    assert verdict.parses is None
    assert verdict.unbroken is None


def test_what_the_items_range_covers_is_replaced() -> None:
    call = hole("print(‹value)~)›\n")
    assert call.holed == "print()\n"
    assert shown(call, "value)", covers=1).exact
    doubled = shown(call, "value)")
    assert not doubled.exact
    assert doubled.repeats


def test_a_range_that_begins_before_the_cursor_is_fine_if_it_writes_the_same() -> None:
    name = hole("value = oth‹er_value›\n")
    assert shown(name, "other_value", before=3).exact
    assert not shown(name, "er_value", before=3).exact


@pytest.mark.parametrize(
    "text",
    [
        "a + b\n\n\nprint(f(1, 2))",
        "a * b\nprint(f(1, 2))",
    ],
)
def test_writing_the_next_line_of_the_file_again_is_a_repetition(text: str) -> None:
    assert shown(RETURN, text).repeats


def test_writing_the_next_two_lines_again_is_a_repetition() -> None:
    at = hole("x = ‹1›\n)\nlast_line()\n", path="a.js")
    assert shown(at, "1\n)\nlast_line()").repeats


def test_a_bracket_that_closes_a_second_time_is_a_repetition() -> None:
    at = hole("x = [\n    ‹one,›\n]\n")
    assert shown(at, "one,\n]").repeats
    assert not shown(at, "two,").repeats


def test_two_blocks_that_end_one_after_the_other_are_no_repetition() -> None:
    at = hole("x = [\n    [‹one],›\n]\n")
    assert not shown(at, "\n        one,\n    ],\n    [two]").repeats


def test_what_the_file_really_says_is_no_repetition() -> None:
    at = hole("call(1)\n‹call(1)›\ncall(1)\n")
    assert not shown(at, "call(1)").repeats
    assert shown(hole("‹other(1)›\ncall(1)\n"), "call(1)").repeats


def test_a_line_that_is_only_indented_otherwise_than_the_next_is_no_repetition() -> None:
    at = hole("def f(x):\n    if x:\n        return ‹x()›\n    return x\n")
    assert not shown(at, "x").repeats
    assert shown(at, "x()\n        return x").repeats


def test_line_ends_of_windows_are_line_ends() -> None:
    at = hole("a = 1\r\nb = ‹a + 1›\r\nc = 2\r\n")
    assert shown(at, "a + 1").exact
    assert shown(at, "a + 1\r\nc = 2").repeats


def test_a_place_behind_the_end_of_a_line_is_its_end() -> None:
    assert Suggestion("!", (0, 99), (0, 99)).accepted_in("a\nb\n") == "a!\nb\n"
    assert Suggestion("!", (9, 0), (9, 0)).accepted_in("a\nb") == "a\nb!"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "", 1.0),
        ("abc", "abc", 1.0),
        ("abc", "", 0.0),
        ("kitten", "sitting", 1 - 3 / 7),
        ("ab", "ba", 0.0),
    ],
)
def test_similarity_is_one_less_the_edits_of_the_longer_text(
    one: str, other: str, expected: float
) -> None:
    assert similarity(one, other) == pytest.approx(expected)
    assert similarity(other, one) == pytest.approx(expected)
