"""Completions in the cells of notebooks, read from the ids that the engine gets."""

from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, capabilities, insertion
from tests.protocol.raw import RawServer

CodeOf = Callable[[dict[str, Any]], str]
BOOK = "file:///project/analysis/book.ipynb"


def uri(name: str) -> str:
    return f"vscode-notebook-cell:/project/analysis/book.ipynb#{name}"


@pytest.fixture
async def window(start: StartEditor, fake: FakeEngine) -> Editor:
    """An editor with a notebook of four cells open."""
    editor = await start(capabilities(notebooks=True), folder="file:///project")
    texts = {
        "text": "Load the data.",
        "load": "import data",
        "here": "rows = ",
        "last": "plot(rows)",
    }
    code, markup = types.NotebookCellKind.Code, types.NotebookCellKind.Markup
    cells = [types.NotebookCell(markup if name == "text" else code, uri(name)) for name in texts]
    documents = [
        types.TextDocumentItem(uri(name), "markdown" if name == "text" else "python", 1, text)
        for name, text in texts.items()
    ]
    notebook = types.NotebookDocument(BOOK, "jupyter-notebook", 1, cells)
    editor.notebook_document_did_open(types.DidOpenNotebookDocumentParams(notebook, documents))
    return editor


def type_in(editor: Editor, name: str, version: int, character: int, text: str) -> None:
    """Type into a cell."""
    content = types.NotebookDocumentCellContentChanges(
        types.VersionedTextDocumentIdentifier(version, uri(name)), [insertion(0, character, text)]
    )
    cells = types.NotebookDocumentCellChanges(text_content=[content])
    change(editor, version, cells)


def change(editor: Editor, version: int, cells: types.NotebookDocumentCellChanges) -> None:
    editor.notebook_document_did_change(
        types.DidChangeNotebookDocumentParams(
            types.VersionedNotebookDocumentIdentifier(version, BOOK),
            types.NotebookDocumentChangeEvent(cells=cells),
        )
    )


async def test_the_server_wants_every_cell_of_every_notebook(
    window: Editor, start: StartEditor
) -> None:
    sync = window.init.capabilities.notebook_document_sync
    assert sync is not None
    (selector,) = sync.notebook_selector
    assert selector.notebook == "*"
    other = await start()
    assert other.init.capabilities.notebook_document_sync is None


async def test_cells_above_are_in_front_and_cells_below_behind(
    window: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    await window.complete(0, 7, uri=uri("here"))
    code = code_of(fake.requests[0])
    assert "`analysis/book.ipynb`" in code
    assert "It ends with this code:\n```python\n\nplot(rows)\n```" in code
    assert code.endswith("```python\n# Load the data.\n\nimport data\n\nrows = ")


async def test_an_item_selected_in_a_cell_stands_between_the_other_cells(
    window: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    type_in(window, "here", 2, 7, "loa")
    span = types.Range(types.Position(0, 7), types.Position(0, 10))
    selected = types.SelectedCompletionInfo(span, "load")
    await window.ask(0, 10, selected=selected, uri=uri("here"))
    code = code_of(fake.requests[0])
    assert "It ends with this code:\n```python\n\nplot(rows)\n```" in code
    assert code.endswith("```python\n# Load the data.\n\nimport data\n\nrows = load")


async def test_what_is_typed_in_a_cell_is_seen_in_it_and_in_the_others(
    window: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    type_in(window, "load", 2, 11, " as d")
    type_in(window, "here", 2, 7, "d.")
    await window.complete(0, 9, uri=uri("here"))
    assert code_of(fake.requests[0]).endswith("import data as d\n\nrows = d.")


async def test_typing_what_is_suggested_in_a_cell_asks_no_more(
    window: Editor, fake: FakeEngine
) -> None:
    fake.answer("data.load()\n")
    (item,) = await window.complete(0, 7, uri=uri("here"))
    assert item.insert_text == "data.load()"
    type_in(window, "here", 2, 7, "data.")
    (item,) = await window.complete(0, 12, uri=uri("here"))
    assert item.insert_text == "load()"
    assert len(fake.requests) == 1


async def test_a_suggestion_is_asked_anew_when_another_cell_has_changed(
    window: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    await window.complete(0, 7, uri=uri("here"))
    type_in(window, "load", 2, 11, " as d")
    await window.complete(0, 7, uri=uri("here"))
    assert "import data as d" in code_of(fake.requests[1])


async def test_cells_come_and_go(window: Editor, fake: FakeEngine, code_of: CodeOf) -> None:
    new = types.NotebookCell(types.NotebookCellKind.Code, uri("new"))
    structure = types.NotebookDocumentCellChangeStructure(
        types.NotebookCellArrayChange(1, 1, [new]),
        [types.TextDocumentItem(uri("new"), "python", 1, "import other")],
        [types.TextDocumentIdentifier(uri("load"))],
    )
    change(window, 2, types.NotebookDocumentCellChanges(structure=structure))
    await window.complete(0, 7, uri=uri("here"))
    assert code_of(fake.requests[0]).endswith("# Load the data.\n\nimport other\n\nrows = ")
    assert await window.complete(0, 0, uri=uri("load")) == []


async def test_a_closed_notebook_gets_nothing(window: Editor, fake: FakeEngine) -> None:
    cells = [types.TextDocumentIdentifier(uri(name)) for name in ("text", "load", "here", "last")]
    identifier = types.NotebookDocumentIdentifier(BOOK)
    window.notebook_document_did_save(types.DidSaveNotebookDocumentParams(identifier))
    window.notebook_document_did_close(types.DidCloseNotebookDocumentParams(identifier, cells))
    assert await window.complete(0, 7, uri=uri("here")) == []
    assert fake.requests == []


async def test_a_change_that_cannot_be_read_stops_completions_in_that_notebook_only(
    raw: RawServer, fake: FakeEngine
) -> None:
    async with raw:
        await raw.initialize()
        plain: dict[str, Any] = {"languageId": "python", "version": 1, "text": "x = "}
        cell, file = {**plain, "uri": uri("here")}, {**plain, "uri": "file:///project/a.py"}
        cells = [{"kind": 2, "document": cell["uri"]}]
        book = {"uri": BOOK, "notebookType": "jupyter", "version": 1, "cells": cells}
        opening = {"notebookDocument": book, "cellTextDocuments": [cell]}
        raw.send("notebookDocument/didOpen", opening)
        raw.send("textDocument/didOpen", {"textDocument": file})
        raw.send("notebookDocument/didChange", {"notebookDocument": {"uri": BOOK}, "change": 5})
        answers = []
        for number, document in enumerate((cell["uri"], file["uri"])):
            place = {"textDocument": {"uri": document}, "position": {"line": 0, "character": 4}}
            params = {**place, "context": {"triggerKind": 1}}
            answers.append(await raw.request(number, "textDocument/inlineCompletion", params))
        assert answers[0]["result"] is None
        assert len(answers[1]["result"]["items"]) == 1
