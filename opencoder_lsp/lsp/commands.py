"""`workspace/executeCommand`: plain JSON in and out, so that any LSP client can use it."""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from opencoder_lsp import __version__
from opencoder_lsp.lsp.arguments import (
    AcceptedArguments,
    AnswerArguments,
    ChatArguments,
    EditArguments,
    ExplainArguments,
    NoArguments,
    StatsArguments,
    parse,
)
from opencoder_lsp.lsp.chat import answer_command, chat_command
from opencoder_lsp.lsp.conversation_commands import CONVERSATION_COMMANDS
from opencoder_lsp.lsp.edit_tasks import EditKind
from opencoder_lsp.lsp.file_names import files
from opencoder_lsp.lsp.progress import work_done
from opencoder_lsp.lsp.tasks import edit_command, explain_command
from opencoder_lsp.stats import Record, report

if TYPE_CHECKING:
    from opencoder_lsp.client.connection import Connection
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

Command = Callable[["Server", types.ExecuteCommandParams], Awaitable[Any]]


async def explain(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{uri, range, token?, show?}` → `{conversationId, text, finishReason}`."""
    arguments = parse(ExplainArguments, params.command, params.arguments)
    return await explain_command(ls, arguments, params.work_done_token)


async def edit(kind: EditKind, ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """
    `{uri, range, instruction?, token?, show?}` → `{conversationId, text, edit, finishReason}`.

    And a `reason` where `edit` is null; with `show` also whether it was `applied`.
    """
    arguments = parse(EditArguments, params.command, params.arguments)
    return await edit_command(ls, kind, arguments, params.work_done_token)


async def chat(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """
    `{message, conversationId?, attachments?, token?, regenerate?, editLast?, continue?,
    lastMessageId?}` → `{conversationId, messageId, text, finishReason, usage, dropped}`.
    """
    arguments = parse(ChatArguments, params.command, params.arguments)
    if params.work_done_token is None:
        return await chat_command(ls, arguments)
    title = "OpenCoder: answering"
    async with work_done(ls, title, token=params.work_done_token, cancellable=True):
        return await chat_command(ls, arguments)


async def answer(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{messages: [{role, content}], token?}` → `{text, finishReason, usage}`; nothing is kept."""
    return await answer_command(ls, parse(AnswerArguments, params.command, params.arguments))


async def accepted(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{suggestionId, acceptedLength?}` → `{}`: counts what the user took."""
    arguments = parse(AcceptedArguments, params.command, params.arguments)
    ls.counts.accepted += 1
    if arguments.suggestion_id:
        ls.acceptance.accepted(arguments.suggestion_id, arguments.accepted_length)
    return {}


async def stats(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{days?}` → what became of suggestions, as `opencoder-lsp stats --json` prints it."""
    arguments = parse(StatsArguments, params.command, params.arguments)
    seen = await asyncio.to_thread(Record().since, arguments.days)
    return report(seen, arguments.days)


async def status(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{}` → how the server, the engine and the settings are; `chat` where it has another one."""
    parse(NoArguments, params.command, params.arguments)
    another = ls.chat_connection is not ls.connection
    return {
        "version": __version__,
        **_engine(ls.connection),
        "chat": _engine(ls.chat_connection) if another else None,
        "documents": len(ls.documents),
        "gathering": ls.context.is_gathering,
        "completions": dataclasses.asdict(ls.counts),
        "requests": dataclasses.asdict(ls.habits.tally),
        "warnings": ls.configuration.warnings,
    }


def _engine(connection: "Connection") -> dict[str, Any]:
    model, status, health = connection.model, connection.status, connection.health
    return {
        "model": model and {"name": model.name, "template": model.template},
        "engine": {
            "kind": status.kind,
            "message": status.message,
            "health": health and dataclasses.asdict(health),
        },
    }


async def restart_engine(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{}` → `{}` once the new engine is ready."""
    parse(NoArguments, params.command, params.arguments)
    await ls.connection.restart()
    if ls.chat_connection is not ls.connection:
        await ls.chat_connection.restart()
    ls.troubles.recovered()
    return {}


COMMANDS: dict[str, Command] = {
    "opencoder.explain": explain,
    "opencoder.fix": partial(edit, "fix"),
    "opencoder.document": partial(edit, "document"),
    "opencoder.test": partial(edit, "test"),
    "opencoder.refactor": partial(edit, "refactor"),
    "opencoder.chat": chat,
    "opencoder.answer": answer,
    "opencoder.files": files,
    **CONVERSATION_COMMANDS,
    "opencoder.accepted": accepted,
    "opencoder.status": status,
    "opencoder.stats": stats,
    "opencoder.restartEngine": restart_engine,
}


def register(ls: "Server") -> None:
    """Make the commands known to the server."""
    for name, command in COMMANDS.items():
        ls.command(name)(partial(command, ls))
