"""Turns that do not disturb each other."""

import asyncio
import time

import psutil

_REST = 20.0  # percent of the processors
_LOOK = 0.1  # seconds
_PATIENCE = 5.0  # seconds


async def until_quiet() -> None:
    """
    Wait until the processors rest, 5 s at most.

    Some servers wait for their next request in a busy loop: for a while after an answer they take
    the processors from whoever has the next turn.
    """
    psutil.cpu_percent()
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        await asyncio.sleep(_LOOK)
        if psutil.cpu_percent() < _REST:
            return
