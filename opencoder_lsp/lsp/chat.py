"""`opencoder.chat`: conversations with the model."""

import asyncio
from typing import TYPE_CHECKING, Any

from opencoder_lsp.conversations.entries import Entry
from opencoder_lsp.errors import OpencoderError, PromptError
from opencoder_lsp.lsp.arguments import Attachment, ChatArguments
from opencoder_lsp.lsp.asking import Answer, ask, streamer
from opencoder_lsp.lsp.selection import selection_of
from opencoder_lsp.prompt.conversation import Message
from opencoder_lsp.prompt.tasks import fenced, shown_path

if TYPE_CHECKING:
    from opencoder_lsp.client.engine import Usage
    from opencoder_lsp.lsp.server import Server


async def chat_command(ls: "Server", arguments: ChatArguments) -> dict[str, Any]:
    """Say something in a new or an old conversation."""
    if not arguments.message.strip():
        raise PromptError("the message is empty")
    content = "\n\n".join(
        [arguments.message, *(_attached(ls, item) for item in arguments.attachments)]
    )
    old = arguments.conversation_id
    said = (await asyncio.to_thread(ls.conversations.conversation, old)).entries if old else ()
    entries = [*said, Entry("user", content)]
    messages = [Message(entry.role, entry.content) for entry in entries]
    answer = await ask(ls, messages, streamer(ls, arguments.token))
    return {
        "conversationId": await remember(ls, content, answer, old),
        "text": answer.text,
        "finishReason": answer.finish_reason,
        "usage": _usage(answer.usage),
    }


def _attached(ls: "Server", attachment: Attachment) -> str:
    selection = selection_of(ls, attachment.uri, attachment.lsp_range())
    name = f"`{shown_path(selection.path)}`:\n" if selection.path else ""
    return name + fenced(selection.code, selection.language)


async def remember(
    ls: "Server", question: str, answer: Answer, old: str | None = None
) -> str | None:
    """Keep what was said and return the conversation's id; None where it could not be kept."""
    turn = [Entry("user", question)]
    if answer.text:  # nothing said is nothing to go on from, and no template can write it
        turn.append(Entry("assistant", answer.text))
    try:
        kept = await asyncio.to_thread(ls.conversations.add, turn, old)
    except OpencoderError as error:  # the answer must not be lost with the disk
        ls.keeping.report(error)
        return None
    ls.keeping.recovered()
    return kept


def _usage(usage: "Usage | None") -> dict[str, int] | None:
    if usage is None:
        return None
    return {
        "promptTokens": usage.prompt_tokens,
        "completionTokens": usage.completion_tokens,
        "cachedTokens": usage.cached_tokens,
    }
