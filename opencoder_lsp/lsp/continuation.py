"""How the engine is asked for a suggestion: prompt, request, and its text without healing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.connection import Engine
from opencoder_lsp.prompt.completion import CompletionPrompt, Place, build
from opencoder_lsp.prompt.healing import LONGEST
from opencoder_lsp.prompt.snippets import Snippet
from opencoder_lsp.settings import CompletionSettings

if TYPE_CHECKING:
    from opencoder_lsp.client.engine import CompletionStream

_SMALLEST_PROMPT = 64  # tokens, as the setting's own minimum


class EngineContinuation:
    """
    The pieces of a completion stream behind its forced prefix.

    An engine that does not know `forced_prefix` may go on with something else: then there is no
    text at all, since it would not fit what stands left of the cursor.
    """

    def __init__(self, stream: "CompletionStream", forced_prefix: str) -> None:
        self._stream = stream
        self._forced = forced_prefix

    @property
    def finish_reason(self) -> str | None:
        """Why the stream ended, once it has."""
        return self._stream.finish_reason

    async def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over the pieces."""
        awaited = self._forced
        async for piece in self._stream:
            text = piece
            if awaited:
                common = min(len(awaited), len(text))
                if awaited[:common] != text[:common]:
                    return
                awaited, text = awaited[common:], text[common:]
            if text:
                yield text


class EngineSource:
    """
    Opens streams for places, on whatever engine is there when it is needed.

    `snippets` gives what goes along from other files, best first, at once.
    """

    def __init__(
        self,
        engine: Callable[[], Awaitable[Engine]],
        settings: Callable[[], CompletionSettings],
        snippets: Callable[[], Sequence[Snippet]] = tuple,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._snippets = snippets

    @asynccontextmanager
    async def __call__(self, place: Place) -> AsyncIterator[EngineContinuation]:
        """Open a stream for the place; leaving the block cancels the engine's work."""
        from opencoder_lsp.client.engine import CompletionRequest

        engine = await self._engine()
        settings = self._settings()
        prompt = self._prompt(place, engine, settings)
        forced = len(engine.tokenizer.encode(prompt.forced_prefix))
        request = CompletionRequest(
            prompt=prompt.ids,
            max_tokens=settings.max_tokens + forced,
            stop_token_ids=engine.stop_ids,
            forced_prefix=prompt.forced_prefix,
            temperature=settings.temperature,
        )
        async with engine.client.complete(request) as stream:
            yield EngineContinuation(stream, prompt.forced_prefix)

    def _prompt(
        self, place: Place, engine: Engine, settings: CompletionSettings
    ) -> CompletionPrompt:
        room = engine.context_length - settings.max_tokens - LONGEST
        if room < _SMALLEST_PROMPT:
            raise PromptError(
                f"completion.max_tokens is {settings.max_tokens}, too many for a context of "
                f"{engine.context_length} tokens"
            )
        wanted = settings.prompt_tokens
        limit = min(room, engine.prompt_tokens if wanted == "auto" else wanted)
        return build(
            place,
            engine.tokenizer,
            engine.template,
            mode=settings.prompt,
            fim_order=settings.fim_order,
            limit=limit,
            heal=settings.healing,
            snippets=self._snippets() if settings.context else (),
        )
