"""Stop strings: a text ends where it would say one, however its pieces cut the string."""

from collections.abc import Sequence


class StopText:
    """
    A text that comes in pieces and ends in front of the stop string that is complete first.

    What may begin a stop string is held back until that is settled. The first `skip` characters
    are no part of the search.
    """

    def __init__(self, stops: Sequence[str], skip: int = 0) -> None:
        self._stops = stops
        self._longest = max(map(len, stops))
        self._skip = skip
        self._held = ""
        self.found = False

    def push(self, piece: str) -> str:
        """Return what may be shown now; nothing more comes once `found` is true."""
        passed, piece = piece[: self._skip], piece[self._skip :]
        self._skip -= len(passed)
        self._held += piece
        places = [(self._held.find(stop), stop) for stop in self._stops]
        ends = [(start + len(stop), start) for start, stop in places if start >= 0]
        if ends:
            self.found = True
            shown, self._held = self._held[: min(ends)[1]], ""
        else:
            start = self._open()
            shown, self._held = self._held[:start], self._held[start:]
        return passed + shown

    def rest(self) -> str:
        """Return what is still held back when the text ends otherwise."""
        held, self._held = self._held, ""
        return held

    def _open(self) -> int:
        """Return where that begins which may become a stop string."""
        end = len(self._held)
        for start in range(max(0, end - self._longest + 1), end):
            tail = self._held[start:]
            if any(stop.startswith(tail) for stop in self._stops):
                return start
        return end
