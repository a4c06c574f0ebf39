"""Asking the model: a conversation goes to the engine, and its answer comes piece by piece."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.conversations.entries import FinishReason
from opencoder_lsp.lsp.arguments import Token
from opencoder_lsp.prompt.conversation import Message
from opencoder_lsp.prompt.healing import FirstBlank
from opencoder_lsp.settings import Settings

if TYPE_CHECKING:
    from opencoder_lsp.client.connection import Engine
    from opencoder_lsp.client.engine import CompletionRequest, Usage
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

OnText = Callable[[str], None]


@dataclass
class Answer:
    """
    What the model has said so far; "stopped" until it has come to its end.

    `dropped` is how many messages, the oldest, did not fit into the prompt any more.
    """

    text: str = ""
    finish_reason: FinishReason = "stopped"
    usage: "Usage | None" = None
    dropped: int = 0


async def ask(
    ls: "Server", messages: Sequence[Message], on_text: OnText, *, temperature: float | None = None
) -> Answer:
    """
    Let the model answer, waiting for the engine if need be; cancelling this ends its work.

    `temperature` takes the place of the setting. Raises PromptTooLongError where the newest message
    alone is too long.
    """
    answer = Answer()
    await hear(ls, messages, answer, on_text, temperature=temperature)
    return answer


async def hear(
    ls: "Server",
    messages: Sequence[Message],
    answer: Answer,
    on_text: OnText,
    *,
    temperature: float | None = None,
) -> None:
    """Do what `ask` does, into an answer that is the caller's also where this ends too early."""
    engine = await ls.chat_connection.engine()
    # In a thread: counting the tokens of a large file takes a second, and completions come first.
    settings = ls.configuration.settings
    heat = settings.chat.temperature if temperature is None else temperature
    request, answer.dropped = await asyncio.to_thread(_request, settings, engine, messages, heat)
    if answer.dropped:
        log.info("the %d oldest messages of a conversation do not fit any more", answer.dropped)
    blank = FirstBlank(request.blank)
    with ls.status.busy():
        async with engine.client.complete(request) as stream:
            async for piece in stream:
                if text := blank.without(piece):
                    answer.text += text
                    on_text(text)
    ls.troubles.recovered()
    answer.finish_reason = "length" if stream.finish_reason == "length" else "stop"
    answer.usage = stream.usage


def _request(
    settings: Settings, engine: "Engine", messages: Sequence[Message], temperature: float
) -> "tuple[CompletionRequest, int]":
    """Return what the engine gets, and how many messages were dropped for it."""
    from opencoder_lsp.client.chat_request import chat_request

    chat = settings.chat
    system = [Message("system", chat.system)] if chat.system else []
    return chat_request(engine, [*system, *messages], chat, temperature)


def streamer(ls: "Server", token: Token | None) -> OnText:
    """Return what sends each piece of an answer on the client's token, if it has one."""

    def send(text: str) -> None:
        if token is not None:
            value = {"kind": "delta", "text": text}
            ls.protocol.notify(types.PROGRESS, types.ProgressParams(token, value))

    return send
