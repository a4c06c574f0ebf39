"""Asking the model: a conversation goes to the engine, and its answer comes piece by piece."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.lsp.arguments import Token
from opencoder_lsp.prompt.conversation import Message, fit

if TYPE_CHECKING:
    from opencoder_lsp.client.connection import Engine
    from opencoder_lsp.client.engine import CompletionRequest, Usage
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


def streamer(ls: "Server", token: Token | None) -> OnText:
    """Return what sends each piece of an answer on the client's token, if it has one."""

    def send(text: str) -> None:
        if token is not None:
            value = {"kind": "delta", "text": text}
            ls.protocol.notify(types.PROGRESS, types.ProgressParams(token, value))

    return send
