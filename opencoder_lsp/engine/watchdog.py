"""Notices a step of the model that does not come back: a driver that hangs, a disk that is gone."""

import asyncio
from collections.abc import Awaitable, Callable

from opencoder_lsp.errors import EngineUnavailableError

_LOOKS = 4  # within the time that a step may take


class StuckError(EngineUnavailableError):
    """A step does not end, and nobody can make it; only a new process helps."""


async def until_stuck(
    step_in_flight: Callable[[], int | None],
    seconds: float,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """
    Return when the same step has been in flight for `seconds`, a quarter more at the most.

    Looks are counted, not seconds: in a process that was halted for a while no step is stuck.
    """
    seen, looks = None, 0
    while looks < _LOOKS:
        await sleep(seconds / _LOOKS)
        step = step_in_flight()
        looks = looks + 1 if step is not None and step == seen else 0
        seen = step
