"""
How many CPU threads to compute with: one for each core that nobody else uses.

The threads of a step wait for each other some 200 times in it, by spinning. Where another program
(the user's compiler) has one of the cores, each such wait can last a turn of the system's
scheduler: decoding beside a build ran at 0.9 tokens/s on both of two cores, and at 11 on one of
them; sleeping instead of spinning costs a third of the speed when nobody else is there.
"""

import logging
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

log = logging.getLogger(__name__)

_INTERVAL = 0.3  # seconds between two looks; the system counts in hundredths
_ROOM = 0.6  # of a core: what others may use of it before it is left to them


class Usage(NamedTuple):
    """Seconds since some moment: of the clock, of all processes on our cores, of our own."""

    clock: float
    everybody: float
    ourselves: float


def usage() -> Usage:
    """Read the usage of the cores on which this process may run."""
    own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    busy = 0.0
    for number, core in enumerate(psutil.cpu_times(percpu=True)):
        if own is None or number in own:
            busy += core.user + core.system + getattr(core, "nice", 0.0)
    return Usage(time.monotonic(), busy, time.process_time())


class Threads:
    """Adapts the number of threads to what others leave; for the thread that computes."""

    def __init__(
        self, most: int, set_threads: Callable[[int], None], read: Callable[[], Usage] = usage
    ) -> None:
        """Begin with `most`; `set_threads` makes a number take effect."""
        self._most = most
        self._set = set_threads
        self._read = read
        self._before = read()
        self._allowed = most  # at the last look
        self.count = most
        set_threads(most)

    def adapt(self) -> None:
        """Look at who uses the cores, if the last look is some time ago; called before a step."""
        if time.monotonic() - self._before.clock < _INTERVAL:
            return
        now, before = self._read(), self._before
        self._before = now
        seconds = now.clock - before.clock
        ours = now.ourselves - before.ourselves
        others = max(0.0, now.everybody - before.everybody - ours) / seconds
        # A core counts as taken when more than `_ROOM` of it is; as free, at the second look.
        allowed = max(1, self._most - int(others + 1 - _ROOM))
        count, self._allowed = min(allowed, self._allowed), allowed
        if count != self.count:
            log.debug("%d threads: others use %.1f of %d cores", count, others, self._most)
            self.count = count
            self._set(count)
