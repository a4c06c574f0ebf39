"""What an engine gets for a conversation, from an editor or from the chat page."""

from collections.abc import Sequence

from opencoder_lsp.client.connection import Engine
from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.prompt.conversation import Message, fit, opens_with_blank
from opencoder_lsp.settings_sections import ChatSettings

_PRIORITY = 10  # behind completions


def chat_request(
    engine: Engine, messages: Sequence[Message], chat: ChatSettings, temperature: float
) -> tuple[CompletionRequest, int]:
    """
    Return the request, and how many of the oldest messages were dropped for it.

    Raises PromptTooLongError where the newest message alone is too long.
    """
    max_tokens = longest_answer(engine, chat)
    fitted = fit(engine.template, engine.tokenizer, messages, engine.context_length - max_tokens)
    request = CompletionRequest(
        prompt=fitted.encoded.ids,
        max_tokens=max_tokens,
        stop_token_ids=engine.stop_ids,
        priority=_PRIORITY,
        temperature=temperature,
        top_p=chat.top_p,
        blank=opens_with_blank(engine.tokenizer, messages),
    )
    return request, fitted.dropped


def longest_answer(engine: Engine, chat: ChatSettings) -> int:
    """Return how many tokens an answer may have; half of a short context stays for the question."""
    return min(chat.max_tokens, engine.context_length // 2)
