"""Which code a selection means."""

import pytest
from lsprotocol import types

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.documents import Document
from opencoder_lsp.lsp.selection import (
    Lines,
    check_within,
    lines_of,
    scope_of,
    selected,
    surrounded,
)
from opencoder_lsp.prompt.tasks import CodeSelection

TEXT = "import os\n\ndef f():\n    a = 1\n\n    return os.sep\n  \nf()"
CLASS = "import os\n\nclass A:\n    def f(self):\n        return os.sep\n\n    x = 1\n"


def document(text: str = TEXT, language: str = "python") -> Document:
    return Document("file:///a.py", language, 1, text)


def span(start: tuple[int, int], end: tuple[int, int]) -> types.Range:
    return types.Range(types.Position(*start), types.Position(*end))


def code(start: tuple[int, int], end: tuple[int, int], text: str = TEXT) -> str:
    whole = document(text)
    return whole.slice(*selected(whole, span(start, end)))


def test_a_selection_means_exactly_itself() -> None:
    assert code((3, 4), (3, 9)) == "a = 1"
    assert code((3, 9), (3, 4)) == "a = 1"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (0, "import os"),
        (1, ""),
        (2, "def f():\n    a = 1\n\n    return os.sep"),
        (5, "def f():\n    a = 1\n\n    return os.sep"),
        (6, "  "),
        (7, "f()"),
        (99, "f()"),
    ],
)
def test_a_cursor_means_the_function_or_else_the_paragraph_around_it(
    line: int, expected: str
) -> None:
    assert code((line, 2), (line, 2)) == expected


def test_a_cursor_in_an_empty_document_means_nothing() -> None:
    assert code((0, 0), (0, 0), "") == ""


@pytest.mark.parametrize(
    ("start", "end", "wide", "lines"),
    [
        ((3, 6), (3, 7), False, (3, 3)),
        ((3, 6), (3, 7), True, (2, 5)),
        ((3, 4), (3, 4), False, (2, 5)),
        ((2, 0), (4, 0), False, (2, 3)),
        ((1, 0), (5, 3), True, (2, 5)),
        ((7, 0), (50, 0), False, (7, 7)),
    ],
)
def test_an_edit_means_whole_lines_without_blank_ones_around(
    start: tuple[int, int], end: tuple[int, int], wide: bool, lines: tuple[int, int]
) -> None:
    meant = lines_of(document(), span(start, end), wide=wide)
    assert (meant.first, meant.last) == lines


def test_of_a_very_long_function_an_edit_means_the_paragraph() -> None:
    text = "def f():\n" + "    a = 1\n    b = 2\n\n" * 60
    meant = lines_of(document(text), span((4, 6), (4, 6)))
    assert (meant.first, meant.last) == (4, 5)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (((1, 0), (2, 0)), "nothing is selected there"),
        (((6, 0), (6, 2)), "nothing is selected there"),
        (((8, 0), (9, 0)), "begins on line 9, but the document has 8"),
    ],
)
def test_lines_that_are_blank_or_not_there_are_refused(
    where: tuple[tuple[int, int], tuple[int, int]], message: str
) -> None:
    with pytest.raises(PromptError, match=message):
        lines_of(document(), span(*where))
    with pytest.raises(PromptError, match="the document has 8"):
        check_within(document(), span((8, 0), (8, 0)))


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        ((4, 0), (4, 0), "f"),
        ((2, 0), (6, 0), "A"),
        ((3, 0), (6, 0), "f"),
        ((6, 4), (6, 4), "A"),
        ((0, 0), (0, 0), None),
    ],
)
def test_a_range_means_the_definition_that_begins_in_it_or_is_around_it(
    start: tuple[int, int], end: tuple[int, int], name: str | None
) -> None:
    scope = scope_of(document(CLASS), span(start, end))
    assert (scope and scope.name) == name


def test_what_is_around_a_selection_is_told_but_not_the_selection_itself() -> None:
    selection = CodeSelection("a.py", "python", "def f(self):\n    return os.sep")
    told = surrounded(selection, document(CLASS), Lines(3, 4, ""))
    assert told.scope == "class A:"
    assert told.imports == "import os"
    inner = surrounded(selection, document(CLASS), Lines(4, 4, ""))
    assert inner.scope == "class A:\n    def f(self):"
