"""
How long to wait before an engine is asked: only while somebody types faster than it answers.

A stream that is about to be superseded costs the GPU something and gives nobody anything, but only
if the next key comes before its first text. So the pauses between keys are measured, and so is the
time to first texts. Where keys come faster, a request waits about as long as the next key should
take: if that comes, the request was superseded and has cost nothing. The first key after a pause
never waits.
"""

import time
from collections.abc import Callable
from typing import Literal

Debounce = Literal["auto"] | int  # milliseconds

_PAUSE = 0.5  # seconds without a key, at least, that are a pause
_PAUSE_KEYS = 2.5  # as many typical intervals are one, too, if that is longer
_SAME_KEY = 0.005  # seconds: editors tell of a bracket and its partner one after the other
_WEIGHT = 0.2  # of the latest interval, and of the latest first text
_MARGIN = 0.8  # of an interval: a first text that takes longer is too late
_SPREAD = 1.25  # intervals until the next key has most likely come
_LONGEST = 0.25  # seconds


class Pace:
    """The rhythm of one person's keys; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = float("-inf")
        self._typical: float | None = None  # seconds from key to key within a burst
        self._first_text = 0.0  # seconds from asking an engine to its first text
        self._in_burst = False
        self._asked = True  # whether the latest key has been followed by a request

    def key(self) -> None:
        """Note that a document was changed."""
        now = self._clock()
        gap = now - self._last
        self._asked = False
        if gap < _SAME_KEY:
            return
        self._last = now
        self._in_burst = gap < max(_PAUSE, _PAUSE_KEYS * (self._typical or 0.0))
        if self._in_burst:
            self._typical = _mixed(self._typical, gap)

    def asked(self) -> None:
        """Note a request: without a change before it, the cursor was moved, by a key as well."""
        if self._asked:
            self.key()
        self._asked = True

    def answered(self, seconds: float) -> None:
        """Note how long a stream took from its opening to its first text."""
        self._first_text = _mixed(self._first_text or None, seconds)

    def delay(self, debounce: Debounce) -> float:
        """Return for how many seconds a request that needs the engine should wait now."""
        if debounce != "auto":
            return debounce / 1000
        if not self._in_burst or self._typical is None:
            return 0.0
        if self._first_text <= _MARGIN * self._typical:
            return 0.0
        since = self._clock() - self._last
        return max(0.0, min(_SPREAD * self._typical, _LONGEST) - since)


def _mixed(before: float | None, value: float) -> float:
    return value if before is None else (1 - _WEIGHT) * before + _WEIGHT * value
