"""What the scheduler asks of the runner, and what it gets back; no torch in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opencoder_lsp.engine.healing import Allowed
from opencoder_lsp.engine.request import Request
from opencoder_lsp.errors import EngineError


class DeviceLostError(EngineError):
    """The accelerator is in a state from which this process cannot recover."""


@dataclass(eq=False, slots=True)
class Work:
    """
    The share of one request in a step: compute rows for `ids[start:start + count]` in its slot.

    With `sample`, the last of them gives the next token, which is one of `allowed` if that is set.
    """

    request: Request
    start: int
    count: int
    sample: bool
    allowed: Allowed | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """Rows to copy from the slot `source` into the request's, before the step."""

    request: Request
    source: int
    rows: int


Outcome = int | EngineError | None  # the next token, what was wrong with it, or none was asked for


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

        Raises EngineError when the whole step failed, and DeviceLostError when no later one can
        succeed either.
        """
        ...
