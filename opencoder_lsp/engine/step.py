"""What the scheduler asks of the runner, and what it gets back; no torch in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opencoder_lsp.engine.healing import Allowed
from opencoder_lsp.engine.request import Request
from opencoder_lsp.errors import EngineError


class DeviceLostError(EngineError):
    """The accelerator is in a state from which this process cannot recover."""


class OutOfMemoryError(EngineError):
    """A step needed more memory than there is; a smaller one may do with what there is."""


@dataclass(eq=False, slots=True)
class Work:
    """
    The share of one request in a step: compute rows for `ids[start:start + count]` in its slot.

    With `sample`, the last of them gives the next token, which is one of `allowed` if that is set.
    The tokens of `draft`, guesses at those that come next, have their rows behind them; then each
    gives the one that would follow it, too.
    """

    request: Request
    start: int
    count: int
    sample: bool
    allowed: Allowed | None = None
    draft: tuple[int, ...] = ()  # only with `sample`, of a greedy request

    @property
    def ids(self) -> list[int]:
        """The tokens to compute rows for, with those of the draft."""
        return [*self.request.ids[self.start : self.start + self.count], *self.draft]

    def halved(self) -> "Work":
        """Return it with half of its tokens, at least one, and without a draft."""
        if self.count == 1:
            return Work(self.request, self.start, 1, self.sample, self.allowed)
        return Work(self.request, self.start, self.count // 2, sample=False)


@dataclass(frozen=True, slots=True)
class Copy:
    """Rows to copy from the slot `source` into the request's, before the step."""

    request: Request
    source: int
    rows: int


Token = int | EngineError  # a token, or what was wrong with it
# The next token, or none was asked for; with a draft, a list: that token, and for each of the
# draft's the one behind it.
Outcome = Token | list[Token] | None


class Runner(Protocol):
    """The model and the memory of its slots. Everything here is called by one thread."""

    @property
    def slots(self) -> int:
        """Number of sequences that have memory."""
        ...

    def copy(self, source: int, target: int, rows: int) -> None:
        """Copy the first `rows` rows of one slot into another."""
        ...

    def step(self, works: Sequence[Work]) -> list[Outcome]:
        """
        Do one forward pass for all `works`, each of another request.

        Raises EngineError when the whole step failed, OutOfMemoryError when a smaller one might
        not, and DeviceLostError when no later one can succeed either. Rows of before are kept.
        """
        ...
