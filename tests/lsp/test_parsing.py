"""Whether a suggestion breaks the Python code that it stands in."""

import ast
from collections.abc import Sequence

import pytest

from opencoder_lsp.lsp import parsing
from opencoder_lsp.lsp.parsing import spoils
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.python_parser import parse

METHOD = "class A:\n" + "    x = 1\n" * 300 + "    def f(self):\n        y = 2\n        "
BELOW = "\n\n    def g(self):\n        pass\n" + "    z = 3\n" * 300


def place(prefix: str, suffix: str = "") -> Place:
    return Place("a.py", "python", prefix, suffix)


@pytest.mark.parametrize(
    ("prefix", "suffix", "text", "broken"),
    [
        ("x = 1\n", "\n", "y = 2", False),
        ("x = 1\n", "\n", "y = = 2", True),
        ("x = ", "\n", "1", False),
        ("x = ", "\n", "some words", True),
        ("x = ", "\n", "f(", False),
        ("if a", "\n", " > b:", False),
        ("no python\nx = ", "\n", "some words", False),
        ("\ufeffx = ", "\n", "1", False),
        ("x = '\\d'\ny = ", "\n", "'\\d'", False),
        ("x = \x00", "\n", "1", False),
        ("try:\n    a\n", "\nexcept E:\n    b\n", "    c", False),
        ("try:\n    a\n", "\nexcept E:\n    b\n", "c", True),
        (METHOD, BELOW, "return y", False),
        (METHOD, BELOW, "return of y", True),
        (METHOD, BELOW, "return y\n    x = 1", False),
        (METHOD, BELOW, "return y\n      x = 1", True),
        ("(" * 300, "\n", "1", False),
    ],
)
def test_the_parser_objects_to(prefix: str, suffix: str, text: str, broken: bool) -> None:
    assert spoils(place(prefix, suffix), text, 0) is broken


def test_what_is_replaced_is_not_there() -> None:
    assert spoils(place("f(", ")\n"), "a)", 0)
    assert not spoils(place("f(", ")\n"), "a)", 1)


@pytest.mark.parametrize("name", ["_LINES", "_REACH"])
def test_a_function_too_large_to_look_at_is_left_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place("def f():\n" + "    x = 1\n" * 50 + "    ", "\n" + "    x = 1\n" * 50)
    assert spoils(here, "y = = 2", 0)
    monkeypatch.setattr(parsing, name, 20)
    assert not spoils(here, "y = = 2", 0)


def test_however_long_the_file_no_more_is_parsed_than_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed = list[str]()

    def noted(code: str) -> ast.Module:
        parsed.append(code)
        return parse(code)

    monkeypatch.setattr(parsing, "parse", noted)
    for text in ("return y", "return of y"):
        assert spoils(place(METHOD * 20, BELOW * 20), text, 0) is (text == "return of y")
    sizes: Sequence[int] = [code.count("\n") for code in parsed]
    assert 0 < max(sizes) <= 2 * 100 + 3
