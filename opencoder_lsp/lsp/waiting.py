"""Waiting for what may never come."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


class Timers:
    """Things to do later, each under a name of which there is one at a time."""

    def __init__(self) -> None:
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def start(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Do something later, in place of what was to be done under that name."""
        self.stop(name)
        self._handles[name] = asyncio.get_running_loop().call_later(seconds, action)

    def stop(self, *names: str) -> None:
        """Do not do it."""
        for name in names:
            handle = self._handles.pop(name, None)
            if handle is not None:
                handle.cancel()


async def unless(answer: asyncio.Future[Any], event: Awaitable[object]) -> None:
    """Wait for an event until there is an answer; raises what `event` raises before that."""
    waiting = asyncio.ensure_future(event)
    both: set[asyncio.Future[Any]] = {waiting, answer}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    failed = waiting.done() and not waiting.cancelled() and waiting.exception()
    if failed and not answer.done():
        raise failed
