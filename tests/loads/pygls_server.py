"""pygls as it comes, to be timed beside ours: it keeps documents and says their text."""

import logging
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("plain", "1")


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(params: types.DidChangeTextDocumentParams) -> None:
    """Nothing beside what pygls does itself; with no handler it would not ask for edits."""


@server.feature("$/text")
def text(params: Any) -> str:
    """Answer with the text of a document."""
    return server.workspace.get_text_document(params.uri).source


if __name__ == "__main__":
    logging.getLogger("pygls").setLevel(logging.WARNING)
    server.start_io()
