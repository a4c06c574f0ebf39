"""`opencoder.explain`, `.fix`, `.document`, `.test`, `.refactor`: work on a piece of a document."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from opencoder_lsp.errors import AnswerError, PromptTooLongError
from opencoder_lsp.lsp.answers import show_answer
from opencoder_lsp.lsp.arguments import EditArguments, ExplainArguments, Token
from opencoder_lsp.lsp.asking import Answer, OnText, ask, streamer
from opencoder_lsp.lsp.chat import remember
from opencoder_lsp.lsp.edit_tasks import LABELS, EditKind, EditTask, edit_task
from opencoder_lsp.lsp.progress import work_done
from opencoder_lsp.lsp.selection import Lines, selected, selection_of, surrounded
from opencoder_lsp.lsp.workspace_edits import apply
from opencoder_lsp.prompt.conversation import Message
from opencoder_lsp.prompt.tasks import Task

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

_EDIT_TEMPERATURE = 0.2  # at most: of code there are more wrong answers than right ones
_WORKING = {
    "fix": "fixing",
    "document": "documenting",
    "test": "writing tests",
    "refactor": "refactoring",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an edit task; without an edit `reason` says why, for the user."""

    task: EditTask
    answer: Answer
    conversation: str | None
    edit: types.WorkspaceEdit | None
    reason: str | None


async def explain_command(
    ls: "Server", arguments: ExplainArguments, work_done_token: Token | None
) -> dict[str, Any]:
    """Explain a part of an open document."""
    selection = selection_of(ls, arguments.uri, arguments.lsp_range())
    document = ls.documents.get(arguments.uri)
    assert document is not None
    start, end = selected(document, arguments.lsp_range())
    selection = surrounded(selection, document, Lines(start.line, end.line, ""))
    async with _line(ls, "explaining", arguments, work_done_token):
        question, answer = await _asked(
            ls, Task("explain", selection), streamer(ls, arguments.token)
        )
    conversation = await remember(ls, question, answer)
    if arguments.show:
        name = PurePosixPath(selection.path).name or "code"
        await show_answer(ls, f"Explanation of {name}", answer.text)
    return {
        "conversationId": conversation,
        "text": answer.text,
        "finishReason": answer.finish_reason,
    }


async def edit_command(
    ls: "Server", kind: EditKind, arguments: EditArguments, work_done_token: Token | None
) -> dict[str, Any]:
    """Let the model edit a part of an open document; with `show` the client applies the edit."""
    outcome = await edited(ls, kind, arguments, work_done_token)
    result: dict[str, Any] = {
        "conversationId": outcome.conversation,
        "text": outcome.answer.text,
        "edit": outcome.edit,
        "reason": outcome.reason,
        "finishReason": outcome.answer.finish_reason,
    }
    if arguments.show:
        result["applied"] = await _applied(ls, kind, outcome)
    return result


async def edited(
    ls: "Server", kind: EditKind, arguments: EditArguments, work_done_token: Token | None = None
) -> Outcome:
    """
    Ask the model and make an edit of its answer.

    Raises StaleError, at once, when the document is changed meanwhile.
    """
    work = await edit_task(ls, kind, arguments)
    send = streamer(ls, arguments.token)

    def on_text(text: str) -> None:
        work.check_current(ls)  # raising here ends the engine's work
        send(text)

    async with _line(ls, _WORKING[kind], arguments, work_done_token):
        question, answer = await _asked(ls, work.task, on_text)
    conversation = await remember(ls, question, answer)
    work.check_current(ls)
    try:
        meant = work.task.meant(answer.text)
        edit, reason = work.edit(meant, answer.finish_reason == "length"), None
    except AnswerError as error:
        edit, reason = None, str(error)
    return Outcome(work, answer, conversation, edit, reason)


async def show_failure(ls: "Server", kind: EditKind, outcome: Outcome, reason: str) -> None:
    """Show an answer that became no edit, and why."""
    title = f"{LABELS[kind]}: {outcome.task.name} is not changed"
    await show_answer(ls, title, f"{reason[0].upper()}{reason[1:]}.\n\n{outcome.answer.text}")


async def _applied(ls: "Server", kind: EditKind, outcome: Outcome) -> bool:
    """Let the client apply the edit; where there is none or it does not, show the answer."""
    reason = outcome.reason
    if outcome.edit is not None:
        reason = await apply(ls, outcome.edit, LABELS[kind])
    if reason:
        await show_failure(ls, kind, outcome, reason)
    return not reason


async def _asked(ls: "Server", task: Task, on_text: OnText) -> tuple[str, Answer]:
    """Ask with as much of the surroundings as fits, and return the question and its answer."""
    refused: PromptTooLongError | None = None
    size = 0
    for messages in task.conversations():
        question = messages[0].content
        length = len(question.encode())
        # A token is a byte at least: what has not lost as many bytes as were too many tokens
        # cannot fit, and need not be counted.
        if refused is not None and size - length < refused.tokens - refused.limit:
            continue
        try:
            return question, await _heard(ls, task, messages, on_text)
        except PromptTooLongError as error:
            refused, size = error, length
    assert refused is not None
    raise refused


class _EnoughError(Exception):
    """The answer is complete, though the model would go on."""


async def _heard(ls: "Server", task: Task, messages: Sequence[Message], on_text: OnText) -> Answer:
    """Ask, and return the answer with what was begun of it; a model that is done is stopped."""
    said, sent = task.opening, 0

    def hear(piece: str) -> None:
        nonlocal said, sent
        said += piece
        end = task.end(said)
        if end is not None:
            said = f"{said[:end]}\n```"
        on_text(said[sent:])
        sent = len(said)
        if end is not None:
            raise _EnoughError  # which ends the engine's work

    usual = ls.configuration.settings.chat.temperature
    temperature = usual if task.kind == "explain" else min(usual, _EDIT_TEMPERATURE)
    try:
        answer = await ask(ls, messages, hear, temperature=temperature)
    except _EnoughError:
        return Answer(said, "stop", None)
    return replace(answer, text=said) if answer.text else answer


@asynccontextmanager
async def _line(
    ls: "Server", what: str, arguments: ExplainArguments, token: Token | None
) -> AsyncIterator[None]:
    """Show that work is going on, where nobody else would: for `show`, or on the client's token."""
    if arguments.show or token is not None:
        async with work_done(ls, f"OpenCoder: {what}", token=token, cancellable=True):
            yield
    else:
        yield
