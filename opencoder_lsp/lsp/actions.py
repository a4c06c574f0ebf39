"""
Code actions: what the lightbulb offers.

Nothing is asked of the model before the user has chosen. A client that resolves code actions gets
the edit that way; for another the server's command lets it apply the edit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.arguments import EditArguments, parse
from opencoder_lsp.lsp.documents import Document
from opencoder_lsp.lsp.edit_tasks import LABELS, EditKind
from opencoder_lsp.lsp.selection import scope_of, selected, selection_of
from opencoder_lsp.lsp.tasks import edited, show_failure

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

# A kind of its own: it changes nothing, so it is no refactoring, and editors show it all the same.
EXPLAIN_KIND = "opencoder.explain"
_EXPLAIN_TITLE = "Explain with OpenCoder"
_REWRITE = types.CodeActionKind.RefactorRewrite
_KINDS: dict[EditKind, types.CodeActionKind] = {
    "fix": types.CodeActionKind.QuickFix,
    "document": _REWRITE,
    "test": _REWRITE,
    "refactor": _REWRITE,
}
OPTIONS = types.CodeActionOptions(
    code_action_kinds=[types.CodeActionKind.QuickFix, _REWRITE, EXPLAIN_KIND],
    resolve_provider=True,
)


@dataclass(frozen=True, slots=True)
class ActionSupport:
    """What a client understands of code actions."""

    resolves: bool
    tags: bool

    @classmethod
    def of(cls, client: types.ClientCapabilities) -> "ActionSupport":
        """Read it from a client's capabilities."""
        document = client.text_document or types.TextDocumentClientCapabilities()
        action = document.code_action or types.CodeActionClientCapabilities()
        resolve, tags = action.resolve_support, action.tag_support
        return cls(
            resolves=bool(action.data_support and resolve and "edit" in resolve.properties),
            tags=bool(tags and types.CodeActionTag.LlmGenerated in tags.value_set),
        )


async def code_action(
    ls: "Server", params: types.CodeActionParams
) -> list[types.CodeAction] | None:
    """
    Offer what makes sense for the selection, or for what is around the cursor.

    Where the user did not ask and nothing is selected, only to fix what a tool complains of: else
    there would be a lightbulb on each line.
    """
    uri, context = params.text_document.uri, params.context
    document = ls.documents.get(uri)
    if document is None:
        return None
    try:
        selection_of(ls, uri, params.range)
    except PromptError:  # nothing there, or not to be sent: nothing to offer
        return None
    automatic = context.trigger_kind == types.CodeActionTriggerKind.Automatic
    idle = automatic and params.range.start == params.range.end
    offered = list(_edits(ls, document, params, only_fixes=idle))
    if not idle:
        offered.insert(0, _explain(document, params.range))
    wanted = [action for action in offered if _is_wanted(action, context.only)]
    if ActionSupport.of(ls.client_capabilities).tags:
        for action in wanted:
            action.tags = [types.CodeActionTag.LlmGenerated]
    return wanted or None


async def resolve_code_action(ls: "Server", action: types.CodeAction) -> types.CodeAction:
    """Ask the model for the edit that the user has chosen; where none comes, say so."""
    data: Any = action.data
    if not isinstance(data, dict) or data.get("task") not in tuple(LABELS):
        return action  # it is complete, as ours that explains
    kind: EditKind = data["task"]
    arguments = parse(EditArguments, "codeAction/resolve", [data.get("arguments")])
    outcome = await edited(ls, kind, arguments)
    action.edit = outcome.edit
    if outcome.reason is not None:
        await show_failure(ls, kind, outcome, outcome.reason)
    return action


def _explain(document: Document, span: types.Range) -> types.CodeAction:
    start, end = selected(document, span)
    whole = types.Range(document.position(start), document.position(end))
    arguments = {"uri": document.uri, "range": whole, "show": True}
    command = types.Command(title=_EXPLAIN_TITLE, command=EXPLAIN_KIND, arguments=[arguments])
    return types.CodeAction(title=_EXPLAIN_TITLE, kind=EXPLAIN_KIND, command=command)


def _edits(
    ls: "Server", document: Document, params: types.CodeActionParams, *, only_fixes: bool
) -> Iterator[types.CodeAction]:
    """Yield what would change the document: fixes only where a tool complains."""
    diagnostics = [one for one in params.context.diagnostics if _meet(one.range, params.range)]
    if diagnostics:
        yield _edit(ls, "fix", document, params.range, diagnostics)
    if only_fixes:
        return
    if scope_of(document, params.range) is not None:
        yield _edit(ls, "document", document, params.range)
        yield _edit(ls, "test", document, params.range)
    if params.range.start != params.range.end:
        yield _edit(ls, "refactor", document, params.range)


def _edit(
    ls: "Server",
    kind: EditKind,
    document: Document,
    span: types.Range,
    diagnostics: Sequence[types.Diagnostic] = (),
) -> types.CodeAction:
    arguments: dict[str, Any] = {"uri": document.uri, "range": span, "version": document.version}
    if diagnostics:
        arguments["diagnostics"] = [_given(diagnostic) for diagnostic in diagnostics]
    action = types.CodeAction(
        title=LABELS[kind], kind=_KINDS[kind], diagnostics=list(diagnostics) or None
    )
    if ActionSupport.of(ls.client_capabilities).resolves:
        action.data = {"task": kind, "arguments": arguments}
    else:
        given = [{**arguments, "show": True}]
        action.command = types.Command(LABELS[kind], f"opencoder.{kind}", arguments=given)
    return action


def _given(diagnostic: types.Diagnostic) -> dict[str, Any]:
    """Return what is told of a diagnostic, as `EditArguments` has it."""
    message: Any = diagnostic.message
    return {
        "range": diagnostic.range,
        "message": message if isinstance(message, str) else message.value,
        "code": diagnostic.code,
        "source": diagnostic.source,
    }


def _meet(one: types.Range, other: types.Range) -> bool:
    return one.start.line <= other.end.line and other.start.line <= one.end.line


def _is_wanted(action: types.CodeAction, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether an action's kind is one of `only`, each of which stands for those below it, too."""
    if only is None:
        return True
    kind = _name(action.kind or "")
    return any(one in ("", kind) or kind.startswith(f"{one}.") for one in map(_name, only))


def _name(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind
