"""Which code a selection means."""

from lsprotocol import types

from opencoder_lsp.lsp.documents import Document, Spot


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
