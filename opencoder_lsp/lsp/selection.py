"""Which code a selection means."""

from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.documents import OUT_OF_STEP, Document, Spot
from opencoder_lsp.prompt.tasks import CodeSelection

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server


def selection_of(ls: "Server", uri: str, span: types.Range) -> CodeSelection:
    """
    Return what a range of an open document holds; an empty one means the paragraph around it.

    Raises PromptError where it is not open, not to be sent, or has nothing but blanks there.
    """
    document = ls.documents.get(uri)
    if document is None:
        raise PromptError("the document is not open; only open documents are looked at")
    if refused := ls.refusal(uri):
        raise PromptError(f"this file is not sent to a model: {refused}")
    if not document.in_sync:
        raise PromptError(OUT_OF_STEP)
    start, end = selected(document, span)
    code = document.slice(start, end)
    if not code.strip():
        raise PromptError("nothing is selected there")
    return CodeSelection(ls.workspace_folders.shown_path(uri), document.language, code)


def selected(document: Document, span: types.Range) -> tuple[Spot, Spot]:
    """
    Return where the code of a range begins and ends.

    An empty range means the paragraph around it: the lines up to the next blank ones.
    """
    start, end = sorted((document.spot(span.start), document.spot(span.end)))
    return paragraph(document, start.line) if start == end else (start, end)


def paragraph(document: Document, line: int) -> tuple[Spot, Spot]:
    """Return where the lines around `line` up to the next blank ones begin and end."""
    first = last = line
    if document.line(line).strip():
        while first > 0 and document.line(first - 1).strip():
            first -= 1
        while last + 1 < document.line_count and document.line(last + 1).strip():
            last += 1
    return Spot(first, 0), Spot(last, len(document.line(last)))
