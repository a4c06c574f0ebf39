"""`opencoder.chat` and `opencoder.explain`: conversations with the model."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from opencoder_lsp.conversations.store import Turn
from opencoder_lsp.errors import OpencoderError, PromptError
from opencoder_lsp.lsp.answers import show_answer
from opencoder_lsp.lsp.arguments import Attachment, ChatArguments, ExplainArguments, Token
from opencoder_lsp.lsp.documents import OUT_OF_STEP
from opencoder_lsp.lsp.progress import work_done
from opencoder_lsp.lsp.selection import selected
from opencoder_lsp.prompt.conversation import Message, fit
from opencoder_lsp.prompt.tasks import CodeSelection, explain, fenced, shown_path

if TYPE_CHECKING:
    from opencoder_lsp.client.engine import CompletionRequest, Usage
    from opencoder_lsp.lsp.connection import Engine
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

_PRIORITY = 10  # behind completions
OnText = Callable[[str], None]


@dataclass(frozen=True)
class Answer:
    """What the model said."""

    text: str
    finish_reason: str
    usage: "Usage | None"


async def explain_command(
    ls: "Server", arguments: ExplainArguments, work_done_token: Token | None
) -> dict[str, Any]:
    """Explain a part of an open document."""
    selection = selection_of(ls, arguments.uri, arguments.lsp_range())
    messages = explain(selection)
    on_text = _streamer(ls, arguments.token)
    async with AsyncExitStack() as stack:
        if arguments.show or work_done_token is not None:
            title = "OpenCoder: explaining"
            line = work_done(ls, title, token=work_done_token, cancellable=True)
            await stack.enter_async_context(line)
        answer = await ask(ls, messages, on_text)
    conversation = await _remember(ls, messages[-1].content, answer)
    if arguments.show:
        name = PurePosixPath(selection.path).name or "code"
        await show_answer(ls, f"Explanation of {name}", answer.text)
    return {
        "conversationId": conversation,
        "text": answer.text,
        "finishReason": answer.finish_reason,
    }


async def chat_command(ls: "Server", arguments: ChatArguments) -> dict[str, Any]:
    """Say something in a new or an old conversation."""
    if not arguments.message.strip():
        raise PromptError("the message is empty")
    content = "\n\n".join(
        [arguments.message, *(_attached(ls, item) for item in arguments.attachments)]
    )
    old = arguments.conversation_id
    said = await asyncio.to_thread(ls.conversations.turns, old) if old else []
    turns = [*said, Turn("user", content)]
    messages = [Message(turn.role, turn.content) for turn in turns]
    answer = await ask(ls, messages, _streamer(ls, arguments.token))
    return {
        "conversationId": await _remember(ls, content, answer, old),
        "text": answer.text,
        "finishReason": answer.finish_reason,
        "usage": _usage(answer.usage),
    }


async def ask(ls: "Server", messages: Sequence[Message], on_text: OnText) -> Answer:
    """
    Let the model answer, waiting for the engine if need be; cancelling this ends its work.

    Raises PromptTooLongError where the newest message alone is too long.
    """
    engine = await ls.connection.engine()
    request = _request(ls, engine, messages)
    with ls.status.busy():
        async with engine.client.complete(request) as stream:
            text = ""
            async for piece in stream:
                text += piece
                on_text(piece)
    ls.troubles.recovered()
    return Answer(text, stream.finish_reason or "stop", stream.usage)


def _request(ls: "Server", engine: "Engine", messages: Sequence[Message]) -> "CompletionRequest":
    from opencoder_lsp.client.engine import CompletionRequest

    settings = ls.configuration.settings.chat
    # A long answer must not leave a short context without room for the question.
    max_tokens = min(settings.max_tokens, engine.context_length // 2)
    system = [Message("system", settings.system)] if settings.system else []
    limit = engine.context_length - max_tokens
    fitted = fit(engine.template, engine.tokenizer, [*system, *messages], limit)
    if fitted.dropped:
        log.info("the %d oldest messages of a conversation do not fit any more", fitted.dropped)
    return CompletionRequest(
        prompt=fitted.encoded.ids,
        max_tokens=max_tokens,
        stop_token_ids=engine.stop_ids,
        priority=_PRIORITY,
        temperature=settings.temperature,
        top_p=settings.top_p,
    )


def selection_of(ls: "Server", uri: str, span: types.Range) -> CodeSelection:
    """
    Return what a range of an open document holds; an empty one means the paragraph around it.

    Raises PromptError where it is not open, not to be sent, or has nothing but blanks there.
    """
    document = ls.documents.get(uri)
    if document is None:
        raise PromptError("the document is not open; only open documents are looked at")
    if refused := ls.refusal(uri):
        raise PromptError(f"this file is not sent to a model: {refused}")
    if not document.in_sync:
        raise PromptError(OUT_OF_STEP)
    start, end = selected(document, span)
    code = document.slice(start, end)
    if not code.strip():
        raise PromptError("nothing is selected there")
    return CodeSelection(ls.workspace_folders.shown_path(uri), document.language, code)


def _attached(ls: "Server", attachment: Attachment) -> str:
    selection = selection_of(ls, attachment.uri, attachment.lsp_range())
    name = f"`{shown_path(selection.path)}`:\n" if selection.path else ""
    return name + fenced(selection.code, selection.language)


async def _remember(
    ls: "Server", question: str, answer: Answer, old: str | None = None
) -> str | None:
    """Keep what was said and return the conversation's id; None where it could not be kept."""
    turns = [Turn("user", question)]
    if answer.text:  # nothing said is nothing to go on from, and no template can write it
        turns.append(Turn("assistant", answer.text))
    try:
        kept = await asyncio.to_thread(ls.conversations.add, turns, old)
    except OpencoderError as error:  # the answer must not be lost with the disk
        ls.keeping.report(error)
        return None
    ls.keeping.recovered()
    return kept


def _streamer(ls: "Server", token: Token | None) -> OnText:
    def send(text: str) -> None:
        if token is not None:
            value = {"kind": "delta", "text": text}
            ls.protocol.notify(types.PROGRESS, types.ProgressParams(token, value))

    return send


def _usage(usage: "Usage | None") -> dict[str, int] | None:
    if usage is None:
        return None
    return {
        "promptTokens": usage.prompt_tokens,
        "completionTokens": usage.completion_tokens,
        "cachedTokens": usage.cached_tokens,
    }
