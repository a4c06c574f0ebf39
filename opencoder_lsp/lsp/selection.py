"""Which code a range of an open document means, and what stands around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.documents import OUT_OF_STEP, Document, Spot
from opencoder_lsp.prompt.import_statements import import_statements
from opencoder_lsp.prompt.outline import Scope, enclosing, outline
from opencoder_lsp.prompt.tasks import CodeSelection

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

_LARGE = 150  # lines of what is not rewritten as a whole because the cursor is in it

NOTHING = "nothing is selected there"


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of a document: their numbers from 0, `last` included, and their text."""

    first: int
    last: int
    text: str

    @property
    def start(self) -> Spot:
        """Where they begin."""
        return Spot(self.first, 0)


def sendable(ls: "Server", uri: str) -> Document:
    """Return an open document; PromptError where it is not open or must not be sent."""
    document = ls.documents.get(uri)
    if document is None:
        raise PromptError("the document is not open; only open documents are looked at")
    if refused := ls.refusal(uri):
        raise PromptError(f"this file is not sent to a model: {refused}")
    if not document.in_sync:
        raise PromptError(OUT_OF_STEP)
    return document


def selection_of(ls: "Server", uri: str, span: types.Range) -> CodeSelection:
    """
    Return what a range of an open document holds; an empty one means what is around it.

    Raises PromptError where it is not open, not to be sent, or has nothing but blanks there.
    """
    document = sendable(ls, uri)
    check_within(document, span)
    start, end = selected(document, span)
    code = document.slice(start, end)
    if not code.strip():
        raise PromptError(NOTHING)
    return CodeSelection(ls.workspace_folders.shown_path(uri), document.language, code)


def check_within(document: Document, span: types.Range) -> None:
    """Raise PromptError where a range begins behind the document's last line."""
    first = min(span.start.line, span.end.line)
    if first >= document.line_count:
        raise PromptError(
            f"the range begins on line {first + 1}, but the document has {document.line_count}"
        )


def selected(document: Document, span: types.Range) -> tuple[Spot, Spot]:
    """
    Return where the code of a range begins and ends.

    An empty range means the function or class around it, else the paragraph: the lines up to the
    next blank ones.
    """
    start, end = sorted((document.spot(span.start), document.spot(span.end)))
    return around(document, start.line) if start == end else (start, end)


def around(document: Document, line: int, longest: int | None = None) -> tuple[Spot, Spot]:
    """Return the function or class around a line if it is not too long, else its paragraph."""
    scopes = enclosing(outline(document.text, document.language), line, line)
    if scopes and document.line(line).strip():
        scope = scopes[-1]
        if longest is None or scope.last - scope.first < longest:
            return Spot(scope.first, 0), Spot(scope.last, len(document.line(scope.last)))
    return paragraph(document, line)


def paragraph(document: Document, line: int) -> tuple[Spot, Spot]:
    """Return where the lines around `line` up to the next blank ones begin and end."""
    first = last = line
    if document.line(line).strip():
        while first > 0 and document.line(first - 1).strip():
            first -= 1
        while last + 1 < document.line_count and document.line(last + 1).strip():
            last += 1
    return Spot(first, 0), Spot(last, len(document.line(last)))


def lines_of(document: Document, span: types.Range, *, wide: bool = False) -> Lines:
    """
    Return the whole lines that a range means, for an edit; PromptError where they are blank.

    An empty range, and with `wide` one within a line, means what is around it.
    """
    check_within(document, span)
    start, end = sorted((document.spot(span.start), document.spot(span.end)))
    if start == end or (wide and start.line == end.line):
        start, end = around(document, start.line, _LARGE)
    elif end.index == 0:  # a selection of whole lines ends in front of the next one
        end = Spot(end.line - 1, 0)
    return lines_between(document, start.line, end.line)


def lines_between(document: Document, first: int, last: int) -> Lines:
    """Return lines with their line ends, without blank ones at either end; PromptError if none."""
    while first < last and not document.line(first).strip():
        first += 1
    while first < last and not document.line(last).strip():
        last -= 1
    if not document.line(first).strip():
        raise PromptError(NOTHING)
    return Lines(first, last, document.slice(Spot(first, 0), behind(document, last)))


def behind(document: Document, line: int) -> Spot:
    """Return the place behind a line and its line end."""
    if line + 1 < document.line_count:
        return Spot(line + 1, 0)
    return Spot(line, len(document.line(line)))


def scope_of(document: Document, span: types.Range) -> Scope | None:
    """
    Return the function or class that a range means: the first one that begins in it.

    Where none does, the innermost around it; None outside of any.
    """
    start, end = sorted((document.spot(span.start), document.spot(span.end)))
    scopes = outline(document.text, document.language)
    begun = [scope for scope in scopes if start.line <= scope.line <= end.line]
    if start != end and begun:
        return begun[0]
    inner = enclosing(scopes, start.line, start.line)
    return inner[-1] if inner else None


def surrounded(selection: CodeSelection, document: Document, lines: Lines) -> CodeSelection:
    """Return a selection with the headers around it and the imports that it needs."""
    text = document.text
    outer = [
        scope
        for scope in enclosing(outline(text, document.language), lines.first, lines.last)
        if scope.line < lines.first
    ]
    return CodeSelection(
        selection.path,
        selection.language,
        selection.code,
        _headers(outer),
        import_statements(text, selection.code),
        selection.problems,
    )


def _headers(scopes: Sequence[Scope]) -> str:
    return "\n".join(scope.header for scope in scopes)
