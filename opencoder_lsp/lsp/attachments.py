"""
Files that go along with a question: those that the client names, and each `@path` in the message.

An open document counts as it is in the editor; what is not open is read from the disk. Both are
subject to `opencoder_lsp.prompt.privacy`. The grammar of `@path` is that of
`opencoder_lsp.prompt.references`.
"""

import asyncio
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lsprotocol import types

from opencoder_lsp.conversations.entries import Attachment
from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.arguments import ChatAttachment
from opencoder_lsp.lsp.documents import OUT_OF_STEP, Document
from opencoder_lsp.prompt.files import read_text, resolved, stamp_of
from opencoder_lsp.prompt.ignoring import is_below
from opencoder_lsp.prompt.languages import language_of
from opencoder_lsp.prompt.references import Reference, references
from opencoder_lsp.prompt.tasks import shown_path

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

_LARGEST = 1024 * 1024  # bytes of a file: far more than a prompt can hold


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file, or a part of it, that is to go along."""

    uri: str
    span: types.Range | None
    mentioned: bool = False


async def attached(
    ls: "Server", message: str, given: Sequence[ChatAttachment]
) -> tuple[Attachment, ...]:
    """
    Return what goes along with a question, in its order and each part once.

    Open documents are looked at before anything is awaited: ranges are those of that moment.
    Raises PromptError for what is gone, not to be sent, no text, too large, or empty.
    """
    opened = {item.uri: _copy(ls, item.uri) for item in given}
    wanted = [_Wanted(item.uri, item.range.lsp() if item.range else None) for item in given]
    wanted += await _mentioned(ls, message)
    found = list[Attachment]()
    for one in wanted:
        name = _name(ls, one.uri)
        document = opened.get(one.uri) or _copy(ls, one.uri)
        if refused := ls.refusal(one.uri):
            raise PromptError(f"{name} is not sent to a model: {refused}")
        if document is None:
            document = await asyncio.to_thread(_read, ls, one.uri)
        found.append(replace(_part(document, one.span, name), mentioned=one.mentioned))
    return tuple(dict.fromkeys(found))


def _name(ls: "Server", uri: str) -> str:
    return shown_path(ls.workspace_folders.shown_path(uri)) or "the unsaved document"


def _copy(ls: "Server", uri: str) -> Document | None:
    """Return an open document as it is now; None for one that is not open."""
    document = ls.documents.get(uri)
    if document is None:
        return None
    if not document.in_sync:
        raise PromptError(OUT_OF_STEP)
    encoding = ls.documents.encoding
    return Document(uri, document.language, document.version, document.text, encoding)


def _read(ls: "Server", uri: str) -> Document:
    name, path = _name(ls, uri), ls.workspace_folders.file_path(uri)
    stamp = stamp_of(path) if urlsplit(uri).scheme == "file" else None
    if stamp is None:
        raise PromptError(f"{name} is neither open nor a file (any more)")
    if stamp.size > _LARGEST:
        raise PromptError(f"{name} is too large: it has {stamp.size} bytes, not {_LARGEST} or less")
    text = read_text(path, _LARGEST)
    if text is None:
        raise PromptError(f"{name} cannot be read as UTF-8 text")
    return Document(uri, language_of(path), 0, text, ls.documents.encoding)


def _part(document: Document, span: types.Range | None, name: str) -> Attachment:
    if span is None:
        text, first, last = document.text, 0, 0
    else:
        count = document.line_count - (document.line(document.line_count - 1) == "")
        wanted = 1 + min(span.start.line, span.end.line)
        if wanted > count:
            raise PromptError(f"{name} has {count} lines, not {wanted}")
        start, end = sorted((document.spot(span.start), document.spot(span.end)))
        text, first = document.slice(start, end), start.line + 1
        last = max(first, end.line + (end.index > 0))
    if not text.strip():
        raise PromptError(
            f"there is nothing in that part of {name}" if first else f"{name} is empty"
        )
    return Attachment(name, document.language, text, first, last)


async def _mentioned(ls: "Server", message: str) -> list[_Wanted]:
    """Return each file of the workspace that the message names."""
    if "@" not in message or not ls.workspace_folders.paths:
        return []
    uris = {ls.workspace_folders.file_path(document.uri): document.uri for document in ls.documents}
    folders = ls.workspace_folders.paths
    found = await asyncio.to_thread(_files_named, message, folders, uris.keys())
    return [_Wanted(uris.get(path) or Path(path).as_uri(), span, True) for path, span in found]


def _files_named(
    message: str, folders: Sequence[str], opened: Collection[str]
) -> list[tuple[str, types.Range | None]]:
    """Return path and lines of each; it looks at the disk."""
    found = []
    for meanings in references(message):
        for reference in meanings:
            path = _inside(reference.path, folders, opened)
            if path is not None:
                found.append((path, _span(reference)))
                break
    return found


def _inside(name: str, folders: Sequence[str], opened: Collection[str]) -> str | None:
    """Return the path of a file in one of the folders, by its own way and by that of links."""
    for folder in folders:
        path = os.path.normpath(os.path.join(folder, name))
        if not is_below(path, folder) or not is_below(resolved(path), resolved(folder)):
            continue
        if path in opened or stamp_of(path) is not None:
            return path
    return None


def _span(reference: Reference) -> types.Range | None:
    """Return whole lines as a range of LSP."""
    if reference.lines is None:
        return None
    first, last = reference.lines
    if not 0 < first <= last:
        raise PromptError(f"{first}-{last} are no lines: they count from 1")
    return types.Range(types.Position(first - 1, 0), types.Position(last, 0))
