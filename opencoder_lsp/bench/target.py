"""What is measured: anything that goes on from token ids, and how long that took."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from opencoder_lsp.client.engine import CompletionRequest, EngineClient, Limits
from opencoder_lsp.errors import EngineError

# On a machine that others use a token can take very long; the figures then say so.
PATIENT = Limits(first=900.0, stall=900.0)


@dataclass(frozen=True, slots=True)
class Timing:
    """
    How one answer went: seconds from asking to its first text and to its end, its tokens, and
    those of the prompt that were not computed again.
    """

    first: float
    total: float
    tokens: int
    cached: int = 0

    @property
    def speed(self) -> float:
        """Tokens per second behind the first; 0 where there was no second."""
        return (self.tokens - 1) / max(self.total - self.first, 1e-9)


class Target(Protocol):
    """
    Something that generates.

    `reuses`: whether it computes only what is new in a prompt. `concurrent`: whether it works on
    several requests at once.
    """

    name: str
    reuses: bool
    concurrent: bool

    async def ask(self, prompt: list[int], tokens: int, *, leave: bool = False) -> Timing:
        """
        Generate that many tokens, greedily, whatever they are; or leave behind the first text.

        Raises EngineError.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class _Request(CompletionRequest):
    """A request with fields that only other servers know."""

    extra: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return {**super().body(), **self.extra}


class Server:
    """A server of `/v1/completions`, reached by our own client; see `Target`."""

    def __init__(
        self,
        name: str,
        client: EngineClient,
        *,
        concurrent: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """`extra` goes into each request's body: what keeps it from stopping early, say."""
        self.name = name
        self.client = client
        self.reuses = True
        self.concurrent = concurrent
        self._extra = dict(extra or {})

    async def ask(
        self, prompt: list[int], tokens: int, *, leave: bool = False, priority: int = 0
    ) -> Timing:
        """See `Target.ask`."""
        request = _Request(prompt=prompt, max_tokens=tokens, priority=priority, extra=self._extra)
        began = time.perf_counter()
        first = 0.0
        async with self.client.complete(request) as stream:
            async for _ in stream:
                first = first or time.perf_counter() - began
                if leave:
                    return Timing(first, first, 1)
        total = time.perf_counter() - began
        if stream.usage is None or stream.usage.completion_tokens != tokens:
            made = stream.usage.completion_tokens if stream.usage else "an unknown number of"
            raise EngineError(f"{self.name} made {made} tokens instead of {tokens}")
        return Timing(first or total, total, tokens, stream.usage.cached_tokens)
