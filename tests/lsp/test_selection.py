"""Which code a selection means."""

import pytest
from lsprotocol import types

from opencoder_lsp.lsp.documents import Document
from opencoder_lsp.lsp.selection import selected

TEXT = "import os\n\ndef f():\n    a = 1\n    return a\n  \nf()"


def code(start: tuple[int, int], end: tuple[int, int], text: str = TEXT) -> str:
    document = Document("file:///a.py", "python", 1, text)
    span = types.Range(types.Position(*start), types.Position(*end))
    return document.slice(*selected(document, span))


def test_a_selection_means_exactly_itself() -> None:
    assert code((3, 4), (3, 9)) == "a = 1"
    assert code((3, 9), (3, 4)) == "a = 1"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (0, "import os"),
        (1, ""),
        (2, "def f():\n    a = 1\n    return a"),
        (4, "def f():\n    a = 1\n    return a"),
        (5, "  "),
        (6, "f()"),
        (99, "f()"),
    ],
)
def test_a_cursor_means_the_paragraph_around_it(line: int, expected: str) -> None:
    assert code((line, 2), (line, 2)) == expected


def test_a_cursor_in_an_empty_document_means_nothing() -> None:
    assert code((0, 0), (0, 0), "") == ""
