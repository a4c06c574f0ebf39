"""Other processes: what they have, and waiting for what they do not announce."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import psutil

TIMEOUT = 60.0  # seconds after which a test that waits has failed
PAUSE = 0.01  # seconds between two looks

Seen = TypeVar("Seen")


async def until(look: Callable[[], Awaitable[Seen]], wanted: Callable[[Seen], bool]) -> Seen:
    """Look until what is seen is what is wanted, and return it."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            if wanted(seen := await look()):
                return seen
            await asyncio.sleep(PAUSE)


@dataclass(frozen=True)
class Resources:
    """What a process has."""

    threads: int
    files: int
    memory: int  # resident bytes

    @classmethod
    async def of(cls, pid: int) -> "Resources":
        """Look at a process."""
        process = psutil.Process(pid)
        return cls(process.num_threads(), process.num_fds(), process.memory_info().rss)


async def until_gone(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""

    async def gone() -> bool:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        return True

    await until(gone, bool)


def processes_with(text: str) -> list[int]:
    """Return the ids of living processes that have a text in their command line."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has just ended
            if any(text in word for word in process.cmdline()):
                found.append(process.pid)
    return found


def kill(pid: int) -> None:
    """Kill a process, unless it has ended."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()
