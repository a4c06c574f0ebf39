"""How the engine is asked for a suggestion: prompt, request, and its text without healing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from opencoder_lsp.client.connection import Engine
from opencoder_lsp.errors import PromptError
from opencoder_lsp.prompt.completion import CompletionPrompt, Place, build
from opencoder_lsp.prompt.healing import LONGEST, ForcedPrefix
from opencoder_lsp.prompt.snippets import Snippet
from opencoder_lsp.settings import CompletionSettings

if TYPE_CHECKING:
    from opencoder_lsp.client.engine import CompletionRequest, CompletionStream

_AHEAD = 20  # the priority of what nobody waits for: anything preempts it
# How further choices are drawn, beside the likeliest: different, but not wild.
_TEMPERATURE, _TOP_P, _SEED = 0.8, 0.95, 1
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
        forced = ForcedPrefix(self._forced)
        async for piece in self._stream:
            text = forced.without(piece)
            if text is None:
                return
            if text:
                yield text


class EngineContinuations:
    """The pieces of several answers to one prompt, each as `EngineContinuation` gives them."""

    def __init__(self, stream: "CompletionStream", forced_prefix: str, count: int) -> None:
        self._stream = stream
        self._forced = [ForcedPrefix(forced_prefix) for _ in range(count)]

    @property
    def finish_reasons(self) -> dict[int, str]:
        """Why each answer has ended, by its number."""
        return self._stream.finish_reasons

    async def __aiter__(self) -> AsyncIterator[tuple[int, str]]:
        """Iterate over number and text of each piece."""
        async for piece in self._stream.pieces:
            if 0 <= piece.index < len(self._forced):
                text = self._forced[piece.index].without(piece.text)
                if text:
                    yield piece.index, text


class EngineSource:
    """
    Opens streams for places, on whatever engine is there when it is needed.

    `snippets` gives what goes along from other files for a place, best first, at once.
    """

    def __init__(
        self,
        engine: Callable[[], Awaitable[Engine]],
        settings: Callable[[], CompletionSettings],
        snippets: Callable[[Place], Sequence[Snippet]] = lambda place: (),
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._snippets = snippets

    @asynccontextmanager
    async def __call__(
        self, place: Place, *, ahead: bool = False
    ) -> AsyncIterator[EngineContinuation]:
        """
        Open a stream for the place; leaving the block cancels the engine's work.

        One `ahead` makes way for all other work of the engine.
        """
        engine, request = await self._request(place)
        request = replace(request, priority=_AHEAD if ahead else 0)
        async with engine.client.complete(request) as stream:
            yield EngineContinuation(stream, request.forced_prefix)

    @asynccontextmanager
    async def several(self, place: Place, count: int) -> AsyncIterator[EngineContinuations]:
        """Open a stream of `count` answers drawn at random, always the same for a prompt."""
        engine, request = await self._request(place)
        request = replace(request, temperature=_TEMPERATURE, top_p=_TOP_P, seed=_SEED, n=count)
        async with engine.client.complete(request) as stream:
            yield EngineContinuations(stream, request.forced_prefix, count)

    async def warm(self, place: Place) -> None:
        """Have the engine compute the prompt for a place, when it has nothing else to do."""
        engine, request = await self._request(place)
        request = replace(request, max_tokens=0, forced_prefix="", priority=_AHEAD)
        async with engine.client.complete(request) as stream:
            async for _ in stream.pieces:
                pass

    async def _request(self, place: Place) -> tuple[Engine, "CompletionRequest"]:
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
        return engine, request

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
            snippets=self._snippets(place),
            imports=settings.context,
        )
