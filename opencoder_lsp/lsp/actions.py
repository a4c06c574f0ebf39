"""Code actions: what the lightbulb offers."""

from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.selection import selected, selection_of

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

# A kind of its own: it changes nothing, so it is no refactoring, and editors show it all the same.
EXPLAIN_KIND = "opencoder.explain"
TITLE = "Explain with OpenCoder"


async def code_action(
    ls: "Server", params: types.CodeActionParams
) -> list[types.CodeAction] | None:
    """
    Offer to explain the selection, or the paragraph around the cursor.

    The latter only when the user asks: else there would be a lightbulb on each line.
    """
    context = params.context
    automatic = context.trigger_kind == types.CodeActionTriggerKind.Automatic
    if automatic and params.range.start == params.range.end:
        return None
    if context.only is not None and not any(_asks_for(str(kind)) for kind in context.only):
        return None
    uri = params.text_document.uri
    document = ls.documents.get(uri)
    if document is None:
        return None
    try:
        selection_of(ls, uri, params.range)
    except PromptError:  # nothing there, or not to be sent: nothing to offer
        return None
    start, end = selected(document, params.range)
    span = types.Range(document.position(start), document.position(end))
    arguments = {"uri": uri, "range": span, "show": True}
    command = types.Command(title=TITLE, command=EXPLAIN_KIND, arguments=[arguments])
    return [types.CodeAction(title=TITLE, kind=EXPLAIN_KIND, command=command)]


def _asks_for(kind: str) -> bool:
    """Whether a kind of `only`, each of which stands for those below it, covers ours."""
    return kind == "" or kind == EXPLAIN_KIND or EXPLAIN_KIND.startswith(f"{kind}.")
