"""From a session that fails to a short one that fails in the same way."""

import time
from collections.abc import Awaitable, Callable

from tests.fuzz.case import Case

SECONDS = 30.0  # that are spent on it


async def shrunk(case: Case, fails: Callable[[Case], Awaitable[bool]]) -> Case:
    """Leave out steps, many at once and then fewer, as long as it fails all the same."""
    end = time.monotonic() + SECONDS
    size = max(1, len(case.steps) // 2)
    while True:
        start, before = 0, len(case.steps)
        while start < len(case.steps):
            if time.monotonic() > end:
                return case
            shorter = Case(case.steps[:start] + case.steps[start + size :], case.end)
            if await fails(shorter):
                case = shorter
            else:
                start += size
        if size == 1 and len(case.steps) == before:
            return case
        size = max(1, size // 2)
