"""
Open notebooks: the order of their cells, each of which is a document of its own.

A completion in a cell sees the cells above as code before the cursor and those below as code after
it. Cells of its language stand there as they are, others (text above all) as comments.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lsprotocol import types

from opencoder_lsp.lsp.documents import Document, Documents
from opencoder_lsp.prompt.comments import commented

log = logging.getLogger(__name__)

# Every cell of every notebook, whatever its language.
OPTIONS = types.NotebookDocumentSyncOptions(
    notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
)
_REACH = 200_000  # characters of other cells on each side, the nearest first


@dataclass
class _Notebook:
    """A notebook's URI, and its cells' in their order."""

    uri: str
    cells: list[types.NotebookCell]


class Notebooks:
    """Every open notebook; the texts of cells are in `documents`."""

    def __init__(self, documents: Callable[[], Documents]) -> None:
        self._documents = documents
        self._notebooks: dict[str, _Notebook] = {}
        self._of: dict[str, _Notebook] = {}  # by a cell's URI

    def owner(self, uri: str) -> str:
        """Return the URI of the file that a document is in: a cell's notebook, else its own."""
        notebook = self._of.get(uri)
        return uri if notebook is None else notebook.uri

    def cells(self, uri: str) -> list[str]:
        """Return the URIs of all cells of the notebook that a cell is in; of others their own."""
        notebook = self._of.get(uri)
        return [uri] if notebook is None else [cell.document for cell in notebook.cells]

    def any_cell(self, uri: str) -> Document | None:
        """Return one of the open cells of a notebook, if it has any."""
        notebook = self._notebooks.get(uri)
        cells = notebook.cells if notebook is not None else []
        opened = (self._documents().get(cell.document) for cell in cells)
        return next(filter(None, opened), None)

    def around(self, document: Document) -> tuple[str, str]:
        """Return what stands in front of a cell's text, and what behind it: "" for no cell."""
        notebook = self._of.get(document.uri)
        if notebook is None:
            return "", ""
        number = [cell.document for cell in notebook.cells].index(document.uri)
        before = _nearest(self._texts(reversed(notebook.cells[:number]), document.language))
        after = _nearest(self._texts(notebook.cells[number + 1 :], document.language))
        front = "".join(f"{text}\n" for text in reversed(before))
        # Whether the cell itself ends in a line end makes no difference: that changes with a key.
        return front, "".join(f"\n\n{text.rstrip()}" for text in after)

    def whole(self, document: Document) -> str:
        """Return the text of a document with what stands around it."""
        front, back = self.around(document)
        return front + document.text + back

    def open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Take `notebookDocument/didOpen`; one that is open already is replaced."""
        self._forget(params.notebook_document.uri)
        cells = list(params.notebook_document.cells)
        notebook = _Notebook(params.notebook_document.uri, cells)
        self._notebooks[notebook.uri] = notebook
        self._open(notebook, params.cell_text_documents)

    def change(self, params: types.DidChangeNotebookDocumentParams) -> list[str]:
        """Take `notebookDocument/didChange` and return the URIs of cells that are gone."""
        notebook = self._notebooks.get(params.notebook_document.uri)
        changes = params.change.cells
        if notebook is None or changes is None:
            return []
        gone = list[str]()
        if changes.structure is not None:
            array = changes.structure.array
            start = min(array.start, len(notebook.cells))
            notebook.cells[start : start + array.delete_count] = array.cells or []
            gone = [identifier.uri for identifier in changes.structure.did_close or []]
            self._close(gone)
            self._open(notebook, changes.structure.did_open or [])
        kinds = {cell.document: cell for cell in changes.data or []}
        notebook.cells = [kinds.get(cell.document, cell) for cell in notebook.cells]
        for content in changes.text_content or []:
            self._documents().change(content.document, content.changes)
        return gone

    def close(self, params: types.DidCloseNotebookDocumentParams) -> list[str]:
        """Take `notebookDocument/didClose` and return the URIs of its cells."""
        cells = [identifier.uri for identifier in params.cell_text_documents]
        self._close(cells)
        self._forget(params.notebook_document.uri)
        return cells

    def lose(self, params: object) -> None:
        """Note that a change, as it came, could not be read: its cells' texts are not known."""
        try:
            notebook = self._notebooks.get(params["notebookDocument"]["uri"])  # type: ignore[index]
        except (TypeError, LookupError):
            return
        for cell in notebook.cells if notebook is not None else ():
            document = self._documents().get(cell.document)
            if document is not None:
                document.in_sync = False

    def _open(self, notebook: _Notebook, items: Iterable[types.TextDocumentItem]) -> None:
        for item in items:
            self._documents().open(item)
        # A cell that moves is closed and opened within one change, so this comes last.
        self._of = {uri: other for uri, other in self._of.items() if other is not notebook}
        self._of.update({cell.document: notebook for cell in notebook.cells})

    def _close(self, cells: Iterable[str]) -> None:
        for uri in cells:
            self._documents().close(uri)
            self._of.pop(uri, None)

    def _forget(self, uri: str) -> None:
        notebook = self._notebooks.pop(uri, None)
        if notebook is not None:
            self._of = {cell: other for cell, other in self._of.items() if other is not notebook}

    def _texts(self, cells: Iterable[types.NotebookCell], language: str) -> Iterator[str]:
        for cell in cells:
            document = self._documents().get(cell.document)
            text = document.text if document is not None else ""
            if document is None or not text.strip():
                continue
            if cell.kind != types.NotebookCellKind.Code or document.language != language:
                text = commented(text, language)
            yield text if text.endswith("\n") else text + "\n"


def _nearest(texts: Iterable[str]) -> list[str]:
    """Return the first texts that are not too far away."""
    found, room = list[str](), _REACH
    for text in texts:
        room -= len(text)
        if room < 0:
            break
        found.append(text)
    return found
