"""What a Python file imports and defines, also while it is being written."""

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.prompt.definitions import LONGEST, Import
from opencoder_lsp.prompt.python_code import candidates, definitions, imports


def text_of(code: str, name: str) -> str:
    return definitions(textwrap.dedent(code))[name].text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os", [Import("os", (), "os")]),
        ("import a.b as c, d", [Import("a.b", (), "c"), Import("d", (), "d")]),
        ("import a.b", [Import("a.b", (), "a.b")]),
        ("from a.b import c, d as e", [Import("a.b", (("c", "c"), ("d", "e")))]),
        ("from . import x", [Import(".", (("x", "x"),))]),
        ("from ..a import *", [Import("..a", (("*", "*"),))]),
        ("from a import (\n    b,  # why\n    c,\n)", [Import("a", (("b", "b"), ("c", "c")))]),
        ("from a import b, \\\n    c", [Import("a", (("b", "b"), ("c", "c")))]),
        ("def f():\n    from a import b\n", [Import("a", (("b", "b"),))]),
        ("if x:\n\timport a\r\n", [Import("a", (), "a")]),
        ("imported = 1\nfrom_ = 2\n", []),
        ("", []),
    ],
)
def test_imports_are_found_wherever_they_stand(code: str, expected: list[Import]) -> None:
    assert imports(code) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from a import (b, c\n\ndef f(x)\n", [Import("a", (("b", "b"), ("c", "c")))]),
        ("from a import ", [Import("a", ())]),
        ("import ", []),
        ("import a.", [Import("a.", (), "a.")]),
        ("x = (\nfrom a import b\n", [Import("a", (("b", "b"),))]),
    ],
)
def test_imports_of_what_is_not_finished_count(code: str, expected: list[Import]) -> None:
    assert imports(code) == expected


def test_a_short_function_is_shown_whole_a_long_one_by_its_head_and_first_sentence() -> None:
    code = '''
        @cache
        def short(x: int) -> int:
            """Return twice `x`."""
            return 2 * x

        async def long(
            one,
            two=3,
        ) -> None:
            """
            Do it.

            Really.
            """
    '''
    code = code.rstrip(" ") + "".join(f"            step({n})\n" for n in range(20))
    assert text_of(code, "short") == (
        '@cache\ndef short(x: int) -> int:\n    """Return twice `x`."""\n    return 2 * x\n'
    )
    assert text_of(code, "long") == (
        'async def long(\n    one,\n    two=3,\n) -> None:\n    """Do it."""\n    ...\n'
    )


def test_a_class_is_shown_by_its_fields_and_the_heads_of_its_methods() -> None:
    code = '''
        @dataclass
        class Point(Base):
            """A point.

            On a plane.
            """

            x: int
            y: int = 0
            names = ("x", "y")

            def __init__(self, x):
                super().__init__()
                self.x = x
                self.y: int = 1

            @property
            def length(self) -> float:
                """How far."""
                return (self.x**2 + self.y**2) ** 0.5

            def move(self, x, y): self.x += x
    '''
    assert text_of(code, "Point") == textwrap.dedent(
        '''\
        @dataclass
        class Point(Base):
            """A point."""
            x: int
            y: int = 0
            names = ("x", "y")
            def __init__(self, x):
                self.x = x
                self.y: int = 1
            @property
            def length(self) -> float: ...
            def move(self, x, y): self.x += x
        '''
    )
    assert definitions(textwrap.dedent(code))["Point"].head == "@dataclass\nclass Point(Base):\n"


def test_values_and_what_stands_under_a_condition_are_definitions() -> None:
    code = """
        LIMIT = 3
        table: dict[str, int] = {
            "a": 1,
        }
        a = b = 2
        if TYPE_CHECKING:
            X = 1
        else:
            def f(): return 1
        try:
            import fast
        except ImportError:
            class Slow: pass
    """
    found = definitions(textwrap.dedent(code))
    assert list(found) == ["LIMIT", "table", "a", "b", "X", "f", "Slow"]
    assert found["table"].text == 'table: dict[str, int] = {\n    "a": 1,\n}\n'
    assert found["table"].head == "table: dict[str, int] = {\n"
    assert found["X"].text == "X = 1\n"
    assert found["f"].text == "def f(): return 1\n"


def test_a_file_that_does_not_parse_is_read_by_its_look() -> None:
    code = """
        LIMIT = 3
        def first(a,
                  b):
            return (

        class Second(Base):
            field: int = 1
            def method(self, x):
                y = 2

        x == 3
        def third(c):
            pass
    """
    found = definitions(textwrap.dedent(code))
    assert list(found) == ["LIMIT", "first", "Second", "third"]
    assert found["first"].text == "def first(a,\n          b):\n"
    assert found["Second"].text == (
        "class Second(Base):\n    field: int = 1\n    def method(self, x): ...\n"
    )
    assert found["third"].head == "def third(c):\n"


def test_nothing_that_is_said_of_a_name_is_long() -> None:
    lines = "".join(f"    field_{n}: int = {n}\n" for n in range(1000))
    long_line = "x = '" + "a" * 10 * LONGEST + "'\n"
    for found in (definitions(f"class A:\n{lines}{long_line}"), definitions(f"class A:\n{lines}(")):
        assert 100 < len(found["A"].text) <= LONGEST
        assert all(len(one.text) <= LONGEST for one in found.values())
    assert definitions(long_line)["x"].text == ""


@pytest.mark.parametrize(
    "code",
    ["(" * 5000, "-" * 100_000 + "1", "x" + ".y" * 50_000, "\0", "'\\d'", "def f(:\n" * 3000, "\f"],
)
def test_no_file_does_harm(code: str) -> None:
    assert isinstance(definitions(code), dict)
    assert imports(code) == []


@given(st.text("def classimportfrom:=()\n\t \\'\"x.,#", max_size=200))
def test_whatever_is_written_can_be_looked_at(code: str) -> None:
    assert all(one.head or not one.text for one in definitions(code).values())
    assert all(isinstance(one, Import) for one in imports(code))


@given(st.lists(st.sampled_from(["def f(a):\n    return a\n", "x = 1\n", "class C:\n    y = 2\n"])))
def test_what_is_shown_of_what_parses_parses(parts: list[str]) -> None:
    for one in definitions("".join(parts)).values():
        ast.parse(one.text)


def test_a_module_is_looked_for_from_the_file_s_folder_upwards() -> None:
    paths = candidates("a.b", "/w/pkg/sub/x.py", ["/w", "/v"])
    assert paths[0] == "/w/pkg/sub/a/b.py"
    assert paths.index("/w/pkg/a/b.py") < paths.index("/w/a/b.py") < paths.index("/v/a/b.py")
    assert {"/w/a/b/__init__.py", "/w/src/a/b.py", "/w/a/b.pyi"} <= set(paths)
    assert all(path.startswith(("/w/", "/v/")) for path in paths)


def test_a_relative_module_is_looked_for_in_one_place() -> None:
    assert candidates(".m", "/w/p/x.py", ["/w"]) == [
        "/w/p/m.py",
        "/w/p/m/__init__.py",
        "/w/p/m.pyi",
    ]
    assert candidates("..m.n", "/w/p/q/x.py", ["/w"])[0] == "/w/p/m/n.py"
    assert candidates(".", "/w/p/x.py", ["/w"]) == ["/w/p/__init__.py"]


def test_a_file_outside_of_the_workspace_is_no_place_to_start_from() -> None:
    assert all(path.startswith("/w/") for path in candidates("m", "/other/x.py", ["/w"]))
