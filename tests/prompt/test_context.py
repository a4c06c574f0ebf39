"""Which snippets belong to the code at the cursor, and in what order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.prompt.context import (
    MOST,
    Material,
    Names,
    Option,
    Rank,
    is_copy,
    options,
    related,
    telling_lines,
)
from opencoder_lsp.prompt.definitions import Import
from opencoder_lsp.prompt.python_code import definitions
from opencoder_lsp.prompt.similarity import chunks
from opencoder_lsp.prompt.snippets import Snippet

UTIL = '''
LIMIT = 100


def double(number):
    """Return twice a number."""
    return 2 * number


def halve(number):
    return number / 2


def _hidden():
    return None
'''


def snippet(name: str) -> Snippet:
    return Snippet(f"{name}.py", f"def {name}(argument_of_{name}):\n    return 1\n")


def offered(code: str) -> dict[str, Rank]:
    """Return the first lines of what UTIL has for a file, and their ranks at its end."""
    names = Names("python", code)
    found = definitions(UTIL)
    made = [one for wanted in names.imports for one in options("u.py", found, wanted, names)]
    return {one.snippet.text.partition("\n")[0]: one.rank for one in made}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from util import double\n", {"def double(number):": Rank.NAMED}),
        ("from util import double as d, halve\n", {"def double(number):", "def halve(number):"}),
        ("from util import nothing\n", set[str]()),
        ("from util import *\nhalve(1)\n", {"def halve(number):", "LIMIT = 100"}),
        ("import util\nutil.double(1)\n", {"def double(number):", "LIMIT = 100"}),
        ("import pkg.util\npkg.util.halve(1)\n", {"def halve(number):", "LIMIT = 100"}),
        ("from util import _hidden\n", {"def _hidden():"}),
    ],
)
def test_what_a_file_names_of_a_module_is_offered(
    code: str, expected: dict[str, Rank] | set[str]
) -> None:
    if isinstance(expected, dict):
        assert offered(code) == expected
    else:
        assert set(offered(code)) == expected


def test_of_a_whole_module_the_heads_of_all_that_is_public_are_offered() -> None:
    names = Names("python", "import util\nutil.halve(1)\n")
    *_, last = options("u.py", definitions(UTIL), Import("util", (), "util"), names)
    assert last.snippet.text == "LIMIT = 100\ndef double(number):\n"
    assert (last.rank, last.rank_here) == (Rank.OFFERED, Rank.NAMED)


def test_a_language_that_is_not_known_imports_nothing() -> None:
    assert Names("cobol", "import util\n").imports == []


def test_the_best_reason_stands_first() -> None:
    a, b, c, d = (snippet(name) for name in ("alpha", "beta", "gamma", "delta"))
    other = "def epsilon(argument_x, argument_y):\n    return argument_x\n"
    material = Material(
        (
            Option(c, Rank.OFFERED),
            Option(d, Rank.EDITED),
            Option(b, Rank.NAMED, "beta"),
            Option(a, Rank.NAMED, "alpha"),
        ),
        (("e.py", chunks(other)),),
    )
    near_alpha = related(material, "argument_x = alpha(argument_y)\n", "")
    assert near_alpha == (a, b, d, Snippet("e.py", other), c)
    far = "# nothing\n" * 100
    assert related(material, "beta\n" + far, far + "alpha") == (b, a, d, c)


def test_what_is_said_already_is_not_said_again() -> None:
    a, b = snippet("alpha"), snippet("beta")
    both = Snippet("both.py", a.text + b.text)
    one = Material((Option(a, Rank.NAMED), Option(b, Rank.NAMED), Option(both, Rank.EDITED)))
    assert related(one, "", "") == (a, b)
    assert related(Material(one.options, (), telling_lines(a.text)), "", "") == (b,)
    twice = Material((Option(a, Rank.NAMED), Option(a, Rank.EDITED)))
    assert related(twice, "", "") == (a,)


def test_what_stays_keeps_its_order() -> None:
    found = [snippet(name) for name in ("alpha", "beta", "gamma")]
    one = Material(tuple(Option(each, Rank.NAMED) for each in found))
    other = Material(tuple(Option(each, Rank.NAMED) for each in [snippet("new"), *found[::-1]]))
    before = related(one, "", "")
    assert related(other, "", "", before) == (*before, snippet("new"))
    assert related(other, "", "") == (snippet("new"), *found[::-1])


names = st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon"])
materials = st.lists(
    st.builds(Option, st.builds(snippet, names), st.sampled_from(Rank), names), max_size=30
).map(lambda found: Material(tuple(found)))


@given(materials, st.lists(names).map(" ".join))
def test_choosing_again_for_the_same_place_changes_nothing(material: Material, text: str) -> None:
    first = related(material, text, "")
    assert related(material, text, "", first) == first
    assert len(first) <= MOST
    assert len(set(first)) == len(first)


def test_a_copy_is_told_from_a_neighbour() -> None:
    own = "".join(f"line number {n} of the file\n" for n in range(100))
    hole = own.replace("line number 50 of the file", "")
    other = "".join(f"another line, number {n}\n" for n in range(100)) + own[:500]
    assert is_copy(telling_lines(hole), telling_lines(own))
    assert is_copy(telling_lines(hole), telling_lines(own[:1000]))
    assert not is_copy(telling_lines(hole), telling_lines(other))
    assert not is_copy(telling_lines(""), telling_lines(""))
    assert not is_copy(telling_lines("from __future__ import x\n"), telling_lines(own))
