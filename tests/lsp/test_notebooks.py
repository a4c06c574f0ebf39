"""The cells of notebooks, and what a completion in one sees of the others."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from opencoder_lsp.lsp.documents import Documents
from opencoder_lsp.lsp.notebooks import Notebooks

BOOK = "file:///work/book.ipynb"
CODE, TEXT = types.NotebookCellKind.Code, types.NotebookCellKind.Markup
Cell = tuple[str, str, str]  # its name, language and text


class Book:
    """A notebook as an editor sends it."""

    def __init__(self, *cells: Cell) -> None:
        self.documents = Documents()
        self.notebooks = Notebooks(lambda: self.documents)
        self.notebooks.open(
            types.DidOpenNotebookDocumentParams(
                types.NotebookDocument(BOOK, "jupyter-notebook", 1, entries(cells)), items(cells)
            )
        )

    def around(self, name: str) -> tuple[str, str]:
        document = self.documents.get(uri(name))
        assert document is not None
        return self.notebooks.around(document)

    def change(self, cells: types.NotebookDocumentCellChanges) -> list[str]:
        return self.notebooks.change(
            types.DidChangeNotebookDocumentParams(
                types.VersionedNotebookDocumentIdentifier(2, BOOK),
                types.NotebookDocumentChangeEvent(cells=cells),
            )
        )

    def splice(
        self, start: int, delete: int, new: Sequence[Cell], gone: Sequence[str]
    ) -> list[str]:
        array = types.NotebookCellArrayChange(start, delete, entries(new))
        closed = [types.TextDocumentIdentifier(uri(name)) for name in gone]
        structure = types.NotebookDocumentCellChangeStructure(array, items(new), closed)
        return self.change(types.NotebookDocumentCellChanges(structure=structure))


def uri(name: str) -> str:
    return f"vscode-notebook-cell:/work/book.ipynb#{name}"


def entries(cells: Sequence[Cell]) -> list[types.NotebookCell]:
    kinds = {"markdown": TEXT}
    return [types.NotebookCell(kinds.get(kind, CODE), uri(name)) for name, kind, _ in cells]


def items(cells: Sequence[Cell]) -> list[types.TextDocumentItem]:
    return [types.TextDocumentItem(uri(name), kind, 1, text) for name, kind, text in cells]


@pytest.fixture
def book() -> Book:
    return Book(
        ("a", "python", "import os"),
        ("b", "markdown", "# Title\n\nwords"),
        ("c", "python", "x = 1\n"),
        ("d", "sql", "select 1"),
        ("e", "python", "y = 2\n"),
    )


def test_a_cell_sees_those_above_as_code_before_and_those_below_as_code_after(book: Book) -> None:
    before = "import os\n\n# # Title\n#\n# words\n\n"
    assert book.around("c") == (before, "\n\n# select 1\n\ny = 2")
    assert book.around("a")[0] == ""
    assert book.around("e")[1] == ""


def test_for_text_it_is_the_code_that_stands_in_comments(book: Book) -> None:
    before, after = book.around("b")
    assert before == "<!-- import os -->\n\n"
    assert after == "\n\n<!-- x = 1 -->\n\n<!-- select 1 -->\n\n<!-- y = 2 -->"


def test_empty_cells_leave_no_trace() -> None:
    book = Book(("a", "python", " \n"), ("b", "python", "x"), ("c", "python", ""))
    assert book.around("b") == ("", "")


def test_what_is_in_no_notebook_has_nothing_around_it(book: Book) -> None:
    document = book.documents.open(types.TextDocumentItem("file:///a.py", "python", 1, "x"))
    assert book.notebooks.around(document) == ("", "")
    assert book.notebooks.whole(document) == "x"
    assert book.notebooks.owner("file:///a.py") == "file:///a.py"
    assert book.notebooks.cells("file:///a.py") == ["file:///a.py"]
    assert book.notebooks.owner(uri("c")) == BOOK


def test_cells_are_inserted_and_removed(book: Book) -> None:
    assert book.splice(1, 1, [("n", "python", "new = 1")], ["b"]) == [uri("b")]
    assert book.around("c")[0] == "import os\n\nnew = 1\n\n"
    assert book.documents.get(uri("b")) is None
    assert book.notebooks.owner(uri("b")) == uri("b")
    assert book.splice(0, 1, [], ["a"]) == [uri("a")]
    assert book.around("c")[0] == "new = 1\n\n"


def test_a_cell_that_moves_is_there_afterwards(book: Book) -> None:
    book.splice(0, 1, [], [])
    book.splice(4, 0, [("a", "python", "import os")], ["a"])
    assert book.around("e") == ("# # Title\n#\n# words\n\nx = 1\n\n# select 1\n\n", "\n\nimport os")


def test_a_cell_s_text_and_kind_change(book: Book) -> None:
    span = types.Range(types.Position(0, 9), types.Position(0, 9))
    partial = types.TextDocumentContentChangePartial(span, ", sys")
    content = types.NotebookDocumentCellContentChanges(
        types.VersionedTextDocumentIdentifier(2, uri("a")), [partial]
    )
    kind = types.NotebookCell(TEXT, uri("a"))
    assert book.change(types.NotebookDocumentCellChanges(text_content=[content])) == []
    assert book.around("c")[0].startswith("import os, sys\n\n")
    assert book.change(types.NotebookDocumentCellChanges(data=[kind])) == []
    assert book.around("c")[0].startswith("# import os, sys\n\n")


def test_a_closed_notebook_is_forgotten(book: Book) -> None:
    names = "abcde"
    cells = [types.TextDocumentIdentifier(uri(name)) for name in names]
    closing = types.DidCloseNotebookDocumentParams(types.NotebookDocumentIdentifier(BOOK), cells)
    assert book.notebooks.close(closing) == [uri(name) for name in names]
    assert len(book.documents) == 0
    assert book.notebooks.cells(uri("a")) == [uri("a")]
    assert book.notebooks.any_cell(BOOK) is None
    assert book.change(types.NotebookDocumentCellChanges()) == []


def test_a_change_that_cannot_be_read_makes_its_cells_unknown(book: Book) -> None:
    other = book.documents.open(types.TextDocumentItem("file:///a.py", "python", 1, "x"))
    for params in (None, {}, {"notebookDocument": 1}, {"notebookDocument": {"uri": "file:///x"}}):
        book.notebooks.lose(params)
    assert all(document.in_sync for document in book.documents)
    book.notebooks.lose({"notebookDocument": {"uri": BOOK}})
    assert [document for document in book.documents if document.in_sync] == [other]


def test_of_very_long_notebooks_the_nearest_cells_count() -> None:
    cells = [(f"n{n}", "python", f"cell = {n}\n" + "#" * 30_000) for n in range(20)]
    book = Book(*cells)
    before, after = book.around("n10")
    assert "cell = 9\n" in before
    assert "cell = 11\n" in after
    assert "cell = 1\n" not in before
    assert len(before) + len(after) < 500_000


@given(st.lists(st.tuples(st.sampled_from(["python", "markdown"]), st.text("a\n#", max_size=9))))
def test_the_parts_of_a_whole_are_in_their_order(cells: list[tuple[str, str]]) -> None:
    book = Book(*((str(n), kind, text) for n, (kind, text) in enumerate(cells)))
    for number, (_, text) in enumerate(cells):
        document = book.documents.get(uri(str(number)))
        assert document is not None
        before, after = book.around(str(number))
        assert book.notebooks.whole(document) == before + text + after
        assert before == "" or before.endswith("\n\n")
        assert after == "" or after.startswith("\n\n")
