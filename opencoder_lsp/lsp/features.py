"""Every method of LSP that the server handles beside the protocol's own, in one list."""

from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.lsp import acceptance, actions, commands
from opencoder_lsp.lsp.answers import text_document_content
from opencoder_lsp.lsp.completion import completion
from opencoder_lsp.lsp.inline_completion import inline_completion
from opencoder_lsp.lsp.lenses import code_lens
from opencoder_lsp.lsp.progress import cancel_progress
from opencoder_lsp.lsp.pulling import changed

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server


def register(ls: "Server") -> None:
    """Make every method and command known to the server."""
    ls.feature(types.INITIALIZED)(initialized)
    ls.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    ls.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    ls.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    ls.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)(notebook_did_open)
    ls.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)(notebook_did_change)
    ls.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)(notebook_did_save)
    ls.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)(notebook_did_close)
    # Without options pygls does not advertise this one.
    inline_options = types.InlineCompletionOptions(work_done_progress=True)
    ls.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, inline_options)(inline_completion)
    ls.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(completion)
    ls.feature(types.TEXT_DOCUMENT_CODE_ACTION, actions.OPTIONS)(actions.code_action)
    ls.feature(types.CODE_ACTION_RESOLVE)(actions.resolve_code_action)
    ls.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions())(code_lens)
    ls.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    ls.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_workspace_folders)
    ls.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT)(text_document_content)
    ls.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(cancel_progress)
    ls.feature(acceptance.DID_SHOW)(acceptance.did_show)
    ls.feature(acceptance.DID_ACCEPT_PART)(acceptance.did_accept_part)
    commands.register(ls)


async def initialized(ls: "Server", params: object) -> None:
    """Begin with what need not be done before `initialize` is answered."""
    await ls.on_initialized()


# Documents are changed at once, before the next message is looked at: these are not coroutines.


def did_open(ls: "Server", params: types.DidOpenTextDocumentParams) -> None:
    """Open a document."""
    ls.on_close(params.text_document.uri)
    document = ls.documents.open(params.text_document)
    ls.context.opened(document.uri)
    ls.ahead.opened(document)


def did_change(ls: "Server", params: types.DidChangeTextDocumentParams) -> None:
    """Change a document."""
    document = ls.documents.change(params.text_document, params.content_changes)
    if document is not None:
        ls.on_change(document)
        ls.context.changed(document.uri, params.content_changes)


def did_close(ls: "Server", params: types.DidCloseTextDocumentParams) -> None:
    """Close a document."""
    if ls.documents.close(params.text_document.uri):
        ls.on_close(params.text_document.uri)
        ls.context.closed(params.text_document.uri)


def notebook_did_open(ls: "Server", params: types.DidOpenNotebookDocumentParams) -> None:
    """Open a notebook and its cells."""
    for item in params.cell_text_documents:
        ls.on_close(item.uri)
    ls.notebooks.open(params)
    for item in params.cell_text_documents:
        ls.context.opened(item.uri)


def notebook_did_change(ls: "Server", params: types.DidChangeNotebookDocumentParams) -> None:
    """Change the cells of a notebook, or their texts."""
    for uri in ls.notebooks.change(params):
        ls.on_close(uri)
        ls.context.closed(uri)
    cells = params.change.cells
    for content in (cells and cells.text_content) or []:
        ls.context.changed(content.document.uri, content.changes)
    cell = ls.notebooks.any_cell(params.notebook_document.uri)
    if cell is not None:
        ls.on_change(cell)


def notebook_did_save(ls: "Server", params: types.DidSaveNotebookDocumentParams) -> None:
    """Know of it: what counts is the editor's text, saved or not."""


def notebook_did_close(ls: "Server", params: types.DidCloseNotebookDocumentParams) -> None:
    """Close a notebook and its cells."""
    for uri in ls.notebooks.close(params):
        ls.on_close(uri)
        ls.context.closed(uri)


async def did_change_configuration(
    ls: "Server", params: types.DidChangeConfigurationParams
) -> None:
    """Take changed settings."""
    await changed(ls, params.settings)


async def did_change_workspace_folders(
    ls: "Server", params: types.DidChangeWorkspaceFoldersParams
) -> None:
    """Take changed folders."""
    ls.workspace_folders.change(params)
