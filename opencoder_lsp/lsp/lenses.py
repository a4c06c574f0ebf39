"""Code lenses: "Explain · Document · Test" above functions and classes, where the user wants it."""

import logging
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.selection import sendable
from opencoder_lsp.prompt.outline import Scope, outline

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

_MOST = 500  # definitions of a document
_TITLES = {
    "opencoder.explain": "Explain",
    "opencoder.document": "Document",
    "opencoder.test": "Test",
}


async def code_lens(ls: "Server", params: types.CodeLensParams) -> list[types.CodeLens] | None:
    """Answer with the lenses of a document that may be sent to the model; null while it is off."""
    uri = params.text_document.uri
    if not ls.configuration.settings.chat.code_lens:
        return None
    try:
        document = sendable(ls, uri)
    except PromptError:  # lenses that would only be refused
        return None
    scopes = outline(document.text, document.language)[:_MOST]
    return [_lens(uri, scope, command) for scope in scopes for command in _TITLES]


def _lens(uri: str, scope: Scope, command: str) -> types.CodeLens:
    # The line of the name: editors show lenses above it, below the decorators.
    place = types.Position(scope.line, 0)
    span = types.Range(place, place)
    arguments = {"uri": uri, "range": span, "show": True}
    return types.CodeLens(span, types.Command(_TITLES[command], command, arguments=[arguments]))


def refresh(ls: "Server") -> None:
    """Let the client ask anew, where it can be told to: the setting has changed."""
    workspace = ls.client_capabilities.workspace
    if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
        ls.protocol.run_in_background(_refresh(ls))


async def _refresh(ls: "Server") -> None:
    try:
        await ls.workspace_code_lens_refresh_async(None)
    except JsonRpcException:
        log.info("the client did not ask for lenses anew")
