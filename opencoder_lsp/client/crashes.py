"""When to start a crashed engine again, and when to stop trying."""

import time
from collections.abc import Callable

CRASHES = 3
WINDOW = 60.0  # seconds


class Crashes:
    """
    Counts failures: the next start waits 1, 2, 4 s; three within a minute end the trying.

    `backoff` is the first wait in seconds. After giving up `forget` makes a new beginning, or a
    failure that is the first in a minute: somebody else has started the engine in between.
    """

    def __init__(self, backoff: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._backoff = backoff
        self._clock = clock
        self._times: list[float] = []
        self.given_up = False
        self.reason = ""  # of the last failure, for people

    def note(self, reason: str, at: float | None = None) -> None:
        """Note a failure, at this time of the clock or now."""
        self.reason = reason
        now = self._clock() if at is None else at
        self._times = [*(then for then in self._times if now - then < WINDOW), now]
        self.given_up = len(self._times) >= CRASHES

    def wait(self) -> float:
        """Return how many seconds to wait before the next start."""
        now = self._clock()
        recent = [then for then in self._times if now - then < WINDOW]
        if not recent:
            return 0.0
        return max(0.0, recent[-1] + self._backoff * 2.0 ** (len(recent) - 1) - now)

    def forget(self) -> None:
        """Begin anew."""
        self._times, self.given_up = [], False
