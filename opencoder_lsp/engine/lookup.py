"""
Prompt lookup: what a greedy request says next, guessed from what stands in it already.

Code repeats itself, and an edited file repeats the old one. Where the last tokens stood before,
those that followed are drafted, and one step verifies them all, reading the weights once for
several tokens. A token that greedy decoding would not give is never taken. (In float32 the output
is that of plain decoding. In bfloat16 a step of several tokens rounds otherwise than a step of one,
so that between two tokens nearly equal in likelihood the other may be chosen.)

Pure Python on ints; a token costs a few dictionary accesses.
"""

from collections.abc import Container, Sequence

_LENGTHS = (4, 2, 1)  # of the n-grams that are looked up; the longest that is found is followed
_MOST = 16  # tokens of a draft
_PER_MATCHED = 2  # tokens drafted for each that matched
_STRICTEST = 16  # matched tokens that are enough at any time
_PATIENCE = 8  # tokens, for each matched one asked for, until a shorter match is tried again


class Lookup:
    """Drafts for one request. It asks for longer matches where drafts turn out wrong."""

    def __init__(self, ids: Sequence[int]) -> None:
        """`ids` are the request's own, which grow; nothing is read before the first draft."""
        self._ids = ids
        # For each length of n-gram: where the token behind its last occurrence stands.
        self._behind: dict[int, dict[tuple[int, ...], int]] = {n: {} for n in _LENGTHS}
        self._indexed = 0
        self._needed = 1  # matched tokens without which nothing is drafted
        self._failed_at = 0  # number of tokens at the last draft that was all wrong

    def draft(self, most: int, stop_ids: Container[int] = ()) -> tuple[int, ...]:
        """
        Return up to `most` tokens that may follow, none where nothing is known or it does not pay.

        A stop id ends the draft and is not in it: the token behind the last one drafted comes
        with the step anyway.
        """
        if most < 1:
            return ()
        self._index()
        begin = self._find()
        matched = self._matched(begin)
        if matched < self._needed and not (matched and self._may_retry()):
            return ()
        drafted: list[int] = []
        known = len(self._ids)
        for place in range(begin, begin + min(most, _MOST, _PER_MATCHED * matched)):
            # Behind the end of what is known it goes on in circles, as a loop would.
            token = self._ids[place] if place < known else drafted[place - known]
            if token in stop_ids:
                break
            drafted.append(token)
        return tuple(drafted)

    def learn(self, accepted: int) -> None:
        """Adapt to how many tokens of the last draft were right; `ids` hold them by now."""
        if accepted:
            self._needed = max(1, self._needed // 2)
        else:
            self._needed = min(_STRICTEST, 2 * self._needed)
            self._failed_at = len(self._ids)

    def _may_retry(self) -> bool:
        return len(self._ids) - self._failed_at >= _PATIENCE * self._needed

    def _index(self) -> None:
        """Enter the n-grams that have a token behind them by now."""
        ids, known = self._ids, len(self._ids)
        for length, behind in self._behind.items():
            first = max(self._indexed, length)  # where the token behind the first new one stands
            if first < known:
                parts = (ids[first - length + n : known - length + n] for n in range(length))
                grams = zip(*parts, strict=True)
                behind.update(zip(grams, range(first, known), strict=True))
        self._indexed = known

    def _find(self) -> int:
        """Return where the token behind an earlier n-gram like the last one stands, or 0."""
        for length, behind in self._behind.items():
            if found := behind.get(tuple(self._ids[-length:])):
                return found
        return 0

    def _matched(self, place: int) -> int:
        """Return how many tokens before `place` are like the last ones, `_STRICTEST` at most."""
        ids, matched = self._ids, 0
        while matched < min(place, _STRICTEST) and ids[place - 1 - matched] == ids[-1 - matched]:
            matched += 1
        return matched
