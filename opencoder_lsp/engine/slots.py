"""
Which sequences have their keys and values in memory, and where.

A slot holds the rows of one sequence of tokens. A request takes the one that shares the longest
beginning with it and computes only the rest. Pure bookkeeping on ints: the rows themselves are the
runner's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

_BLOCK = 64  # tokens compared at once, by a list comparison in C


def common_prefix(a: Sequence[int], b: Sequence[int], limit: int) -> int:
    """Return the number of equal tokens at the start of two lists, at most `limit`."""
    limit = min(limit, len(a), len(b))
    n = 0
    while n < limit and a[n : min(n + _BLOCK, limit)] == b[n : min(n + _BLOCK, limit)]:
        n = min(n + _BLOCK, limit)
    while n < limit and a[n] == b[n]:
        n += 1
    return n


@dataclass(eq=False, slots=True)
class Slot:
    """Memory for one sequence; the first `rows` of `ids` are in it."""

    index: int
    ids: Sequence[int] = field(default_factory=list)
    rows: int = 0
    busy: bool = False
    last_used: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A slot given to a request, `cached` rows of which are right once `copy_from` is copied."""

    slot: int
    cached: int
    copy_from: int | None = None


class SlotTable:
    """All slots of an engine."""

    def __init__(self, count: int) -> None:
        self._slots = [Slot(i) for i in range(count)]
        self._clock = 0

    def __len__(self) -> int:
        """Number of slots."""
        return len(self._slots)

    @property
    def free(self) -> int:
        """Number of slots that no running request holds."""
        return sum(not slot.busy for slot in self._slots)

    def take(self, ids: Sequence[int], limit: int) -> Place:
        """
        Give a free slot to the sequence `ids`, reusing at most `limit` rows.

        The slot with the longest common beginning is taken as it is when most of it is used, or
        when nothing better is to be had. Otherwise its rows are to be copied into the free slot
        that was used least recently, so that another conversation or document keeps its own.
        There has to be a free slot.
        """
        shared = {
            slot.index: common_prefix(slot.ids, ids, min(limit, slot.rows)) for slot in self._slots
        }
        best = max(self._slots, key=lambda s: (shared[s.index], not s.busy, s.last_used))
        oldest = min((s for s in self._slots if not s.busy), key=lambda s: (s.last_used, s.index))
        rows = shared[best.index]
        if best is oldest or (not best.busy and 2 * rows >= best.rows > 0):
            return self._occupy(best, ids, Place(best.index, rows))
        return self._occupy(oldest, ids, Place(oldest.index, rows, best.index if rows else None))

    def grow(self, slot: int, rows: int) -> None:
        """Note that the first `rows` tokens of the slot's sequence are in memory."""
        self._slots[slot].rows = rows

    def release(self, slot: int) -> None:
        """Keep the rows of a request that has ended for whoever comes with the same beginning."""
        one = self._slots[slot]
        one.busy, one.ids = False, list(one.ids[: one.rows])

    def forget(self, slot: int) -> None:
        """Drop the rows of a slot: a step that wrote to it failed."""
        one = self._slots[slot]
        one.ids, one.rows = [], 0

    def _occupy(self, slot: Slot, ids: Sequence[int], place: Place) -> Place:
        self._clock += 1
        slot.ids, slot.rows, slot.busy, slot.last_used = ids, place.cached, True, self._clock
        return place
