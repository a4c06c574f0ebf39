"""How an engine bore a number of typists."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opencoder_lsp.bench.typist import Ask


@dataclass(slots=True)
class Load:
    """
    What became of the requests of `typists` typists in `seconds`.

    `latencies` are the seconds from asking to the end of each answer that was read, infinite for
    one that was refused since the engine's queue was full. The first request of each typist, whose
    whole prompt is new, is in none of it. `chats` are the seconds of each question of a chat that
    was answered, which count as nothing else. `busy` is how many seconds the engine computed, None
    where that is not known.
    """

    typists: int
    seconds: float
    latencies: list[float] = field(default_factory=list)
    asked: int = 0
    left: int = 0
    refused: int = 0
    prompt_tokens: int = 0  # of the requests whose answers were read
    cached_tokens: int = 0
    chats: list[float] = field(default_factory=list)
    busy: float | None = None

    def read(self, seconds: float, prompt: int, cached: int) -> None:
        """Note an answer that was read to its end; tokens of its prompt, and of these the known."""
        self.latencies.append(seconds)
        self.prompt_tokens += prompt
        self.cached_tokens += cached

    def refuse(self, ask: Ask) -> None:
        """Note a request for which there was no place."""
        self.refused += 1
        if ask.left is None:
            self.latencies.append(math.inf)

    @property
    def p50(self) -> float:
        """The median of the latencies, infinite where no answer was read."""
        return percentile(self.latencies, 0.5)

    @property
    def p95(self) -> float:
        """Their 95th percentile, likewise."""
        return percentile(self.latencies, 0.95)

    @property
    def cached(self) -> float:
        """The share of prompt tokens that did not have to be computed."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it for a script; milliseconds are null where they are infinite."""
        return {
            "typists": self.typists,
            "seconds": self.seconds,
            "asked": self.asked,
            "read": len(self.latencies),
            "left": self.left,
            "refused": self.refused,
            "p50_ms": _milliseconds(self.p50),
            "p95_ms": _milliseconds(self.p95),
            "cached_share": self.cached,
            "chats": len(self.chats),
            "chat_p95_ms": _milliseconds(percentile(self.chats, 0.95)),
            "busy_share": None if self.busy is None else self.busy / self.seconds,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which so large a share of them lies; infinite where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.inf


def _milliseconds(seconds: float) -> float | None:
    return 1000 * seconds if math.isfinite(seconds) else None
