"""Edits of documents, in the form that the client understands best."""

import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp.lsp.documents import Document, split_lines
from opencoder_lsp.lsp.selection import Lines, behind

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

_ANNOTATION = "opencoder"
_START = types.Range(types.Position(0, 0), types.Position(0, 0))


@dataclass(frozen=True, slots=True)
class EditSupport:
    """What a client understands of an edit."""

    versions: bool
    annotations: bool
    new_files: bool
    applies: bool

    @classmethod
    def of(cls, client: types.ClientCapabilities) -> "EditSupport":
        """Read it from a client's capabilities."""
        workspace = client.workspace or types.WorkspaceClientCapabilities()
        edit = workspace.workspace_edit or types.WorkspaceEditClientCapabilities()
        versions = bool(edit.document_changes)
        creates = types.ResourceOperationKind.Create in (edit.resource_operations or ())
        return cls(
            versions=versions,
            annotations=versions and edit.change_annotation_support is not None,
            new_files=creates,  # Neovim says so without saying that it knows versions
            applies=bool(workspace.apply_edit),
        )


def changes(document: Document, lines: Lines, new: str) -> list[types.TextEdit]:
    """Return what makes lines of a document `new`: only the lines that differ are replaced."""
    before, after = _pieces(lines.text), _pieces(new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return [
        types.TextEdit(
            types.Range(
                _position(document, lines.first + start), _position(document, lines.first + end)
            ),
            "".join(after[first:last]),
        )
        for tag, start, end, first, last in matcher.get_opcodes()
        if tag != "equal"
    ]


def edit_of(
    ls: "Server", document: Document, edits: Sequence[types.TextEdit], label: str
) -> types.WorkspaceEdit:
    """Return an edit of one document: for this version of it, and to be confirmed, if possible."""
    support = EditSupport.of(ls.client_capabilities)
    if not support.versions:
        return types.WorkspaceEdit(changes={document.uri: list(edits)})
    target = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    made = [_annotated(edit) for edit in edits] if support.annotations else list(edits)
    change = types.TextDocumentEdit(target, made)
    return types.WorkspaceEdit(
        document_changes=[change], change_annotations=_annotations(support, label)
    )


def new_file(ls: "Server", uri: str, text: str, label: str) -> types.WorkspaceEdit:
    """Return an edit that makes a new file, and fails where there is one."""
    support = EditSupport.of(ls.client_capabilities)
    target = types.OptionalVersionedTextDocumentIdentifier(uri, None)
    edit = types.TextEdit(_START, text)
    create = types.CreateFile(
        uri,
        options=types.CreateFileOptions(overwrite=False, ignore_if_exists=False),
        annotation_id=_ANNOTATION if support.annotations else None,
    )
    change = types.TextDocumentEdit(target, [_annotated(edit) if support.annotations else edit])
    return types.WorkspaceEdit(
        document_changes=[create, change], change_annotations=_annotations(support, label)
    )


async def apply(ls: "Server", edit: types.WorkspaceEdit, label: str) -> str:
    """Let the client make an edit and return why it did not; "" where it did."""
    if not EditSupport.of(ls.client_capabilities).applies:
        return "this editor takes no edits from a server"
    params = types.ApplyWorkspaceEditParams(edit, label)
    try:
        result = await ls.workspace_apply_edit_async(params)
    except JsonRpcException:
        log.info("the client could not apply an edit")
        return "the editor failed to make it"
    if result.applied:
        return ""
    return f"the editor did not make it: {result.failure_reason or 'it does not say why'}"


def _annotated(edit: types.TextEdit) -> types.AnnotatedTextEdit:
    return types.AnnotatedTextEdit(_ANNOTATION, edit.range, edit.new_text)


def _annotations(support: EditSupport, label: str) -> dict[str, types.ChangeAnnotation] | None:
    if not support.annotations:
        return None
    description = "Written by a language model: look before you take it."
    return {_ANNOTATION: types.ChangeAnnotation(label, True, description)}


def _position(document: Document, line: int) -> types.Position:
    """Return where a line begins; the end of the text for the one behind its last."""
    if line < document.line_count:
        return types.Position(line, 0)
    return document.position(behind(document, document.line_count - 1))


def _pieces(text: str) -> list[str]:
    lines = split_lines(text)
    return lines if lines[-1] else lines[:-1]
