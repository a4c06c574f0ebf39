"""Commands for the conversations that are kept: list, look at, rename, delete, export."""

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from opencoder_lsp.conversations.entries import Conversation
from opencoder_lsp.conversations.export import exported, summary_json, to_json
from opencoder_lsp.lsp.arguments import (
    ConversationArguments,
    ExportArguments,
    ForgetArguments,
    ListArguments,
    RenameArguments,
    parse,
)

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server


async def conversations(ls: "Server", params: types.ExecuteCommandParams) -> list[dict[str, Any]]:
    """`{all?}` → `[{id, title, workspace, created, updated, messages}]`, the newest first."""
    arguments = parse(ListArguments, params.command, params.arguments)
    chosen = None if arguments.all else ls.workspace_folders.workspaces
    summaries = await asyncio.to_thread(ls.conversations.summaries, chosen)
    return [summary_json(summary) for summary in summaries]


async def conversation(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{conversationId}` → the whole conversation, as `to_json` makes it."""
    arguments = parse(ConversationArguments, params.command, params.arguments)
    return to_json(await _read(ls, arguments))


async def rename(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{conversationId, title}` → `{}`."""
    arguments = parse(RenameArguments, params.command, params.arguments)
    await asyncio.to_thread(ls.conversations.rename, arguments.conversation_id, arguments.title)
    return {}


async def delete(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{conversationId}` → `{}`."""
    arguments = parse(ConversationArguments, params.command, params.arguments)
    await asyncio.to_thread(ls.conversations.delete, arguments.conversation_id)
    return {}


async def forget(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{conversationId, messageId}` → `{}`: deletes a question with its answer, given either."""
    arguments = parse(ForgetArguments, params.command, params.arguments)
    await asyncio.to_thread(
        ls.conversations.forget_turn, arguments.conversation_id, arguments.message_id
    )
    return {}


async def export(ls: "Server", params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`{conversationId, format?: "markdown" | "json"}` → `{text}`, what to write into a file."""
    arguments = parse(ExportArguments, params.command, params.arguments)
    return {"text": exported(await _read(ls, arguments), arguments.format)}


async def _read(ls: "Server", arguments: ConversationArguments) -> Conversation:
    return await asyncio.to_thread(ls.conversations.conversation, arguments.conversation_id)


CONVERSATION_COMMANDS = {
    "opencoder.conversations": conversations,
    "opencoder.conversation": conversation,
    "opencoder.conversation.rename": rename,
    "opencoder.conversation.delete": delete,
    "opencoder.conversation.forget": forget,
    "opencoder.conversation.export": export,
}
