"""The functions and classes of a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.prompt.outline import Scope, enclosing, outline

PYTHON = '''import os

@cache
@other
def first(
    a,
) -> int:
    text = """
at the margin
"""

    return text

class Second(Base):

    def method(self):
        def inner(): pass
        return 1

    async def other(self): return 2

x = 1
'''
SCRIPT = """import a from "b";

export class Basket extends Base {
  total(prices) {
    if (prices) {
      for (const price of prices) {
      }
    } else {
    }
  }
}

export const add = async (a, b) => {
  return a + b;
};

describe("x", () => {
  it("y", () => {
  });
});
"""
C = """#include <stdio.h>

struct point {
  int x;
};

static int
add(int a, int b)
{
#if DEBUG
  log(a);
#endif
  while (a)
  {
  }
  return a;
}

int main(int argc, char **argv) {
  return add(1, 2);
}
"""


def shown(text: str, language: str) -> list[str]:
    return [
        f"{scope.kind} {scope.name} {scope.first + 1}-{scope.last + 1}"
        for scope in outline(text, language)
    ]


def test_python_is_parsed_with_decorators_and_what_is_within() -> None:
    assert shown(PYTHON, "python") == [
        "function first 3-12",
        "class Second 14-20",
        "function method 16-18",
        "function inner 17-17",
        "function other 20-20",
    ]
    first = outline(PYTHON, "python")[0]
    assert first.line == 4
    assert first.header == "def first(\n    a,\n) -> int:"


def test_python_that_does_not_parse_is_told_by_its_look() -> None:
    broken = PYTHON.replace("x = 1", "x = (").replace("\nat the margin\n", "")
    assert shown(broken, "python") == [
        "function first 5-10",
        "class Second 12-18",
        "function method 14-16",
        "function inner 15-15",
        "function other 18-18",
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "typescript",
            SCRIPT,
            ["class Basket 3-11", "function total 4-10", "function add 13-15"],
        ),
        ("c", C, ["class point 3-5", "function add 8-17", "function main 19-21"]),
        (
            "go",
            "type T struct {\n\ta int\n}\n\nfunc (t *T) Run(a int) error {\n\treturn nil\n}\n",
            ["class T 1-3", "function Run 5-7"],
        ),
        (
            "rust",
            "impl<T> Foo for Bar<T> {\n    pub(crate) fn new(a: u8) -> Self {\n    }\n}\n",
            ["class Foo 1-4", "function new 2-3"],
        ),
        (
            "java",
            "public class A {\n    @Override\n    public int f(int a) throws X {\n    }\n}\n",
            ["class A 1-5", "function f 3-4"],
        ),
        (
            "ruby",
            "class A\n  def f(x)\n    x\n  end\nend\n",
            ["class A 1-5", "function f 2-4"],
        ),
        ("lua", "local function f(x)\n  g()\nend\n", ["function f 1-3"]),
        ("shellscript", "f() {\n  g\n}\n", ["function f 1-3"]),
        ("markdown", "def f():\n    pass\n", []),
        ("css", "@media (x) {\n  a { b: c }\n}\n", []),
        ("plaintext", "class of its own\n", []),
    ],
)
def test_other_languages_are_told_by_their_look(
    language: str, text: str, expected: list[str]
) -> None:
    assert shown(text, language) == expected


def test_the_lines_of_windows_are_counted_like_others() -> None:
    assert shown(PYTHON.replace("\n", "\r\n"), "python") == shown(PYTHON, "python")


def test_what_encloses_a_line_is_told_from_the_outside_in() -> None:
    names = [scope.name for scope in enclosing(outline(PYTHON, "python"), 16, 16)]
    assert names == ["Second", "method", "inner"]
    assert enclosing(outline(PYTHON, "python"), 0, 0) == []


@given(text=st.text(st.sampled_from("def class(){}:\n\r\t a;=>*"), max_size=200))
@pytest.mark.parametrize("language", ["python", "c", "typescript"])
def test_any_text_has_an_outline_within_its_lines(language: str, text: str) -> None:
    count = text.count("\n") + text.count("\r") + 1
    for scope in outline(text, language):
        assert isinstance(scope, Scope)
        assert 0 <= scope.first <= scope.line <= scope.last < count


def test_an_outline_of_one_long_line_takes_no_time_to_speak_of() -> None:
    assert outline("a " * 200_000 + "(", "c") == []
    assert len(outline("class A {\n" * 50_000, "java")) == 2_000
