"""
Which tokens agree with a text that the output has to begin with.

A token agrees when its bytes are the beginning of what is still to come, or begin with all of it
(and then go on). Byte-level vocabularies have a token for each byte, so there is always one. The
index is built once, on first use; a question then costs two binary searches and one look-up for
each length of token.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from opencoder_lsp.engine.text import TokenBytes


@dataclass(frozen=True, slots=True)
class Allowed:
    """
    A set of token ids: `ids`, and `order[low:high]`, where `order` is the index's own.

    A whole range is not written out, since it can be a third of the vocabulary; whoever builds a
    mask keeps `order` as a tensor.
    """

    ids: tuple[int, ...]
    low: int
    high: int

    def __bool__(self) -> bool:
        """Whether any token is left."""
        return bool(self.ids) or self.low < self.high


class PrefixIndex:
    """The tokens of a vocabulary in the order of their bytes."""

    def __init__(self, vocabulary: TokenBytes, size: int) -> None:
        """Tokens from `size` on are left out: the model has no logit for them."""
        self._vocabulary = vocabulary
        self._size = size

    @cached_property
    def _entries(self) -> list[tuple[bytes, int]]:
        token_bytes = self._vocabulary.token_bytes
        pairs = ((token_bytes(id), id) for id in range(self._size))
        return sorted(pair for pair in pairs if pair[0])

    @cached_property
    def _sorted(self) -> list[bytes]:
        return [text for text, _ in self._entries]

    @cached_property
    def _by_bytes(self) -> dict[bytes, list[int]]:
        ids = defaultdict[bytes, list[int]](list)
        for text, id in self._entries:
            ids[text].append(id)
        return ids

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._by_bytes), default=0)

    @cached_property
    def order(self) -> Sequence[int]:
        """Token ids in the order of their bytes."""
        return [id for _, id in self._entries]

    def allowed(self, text: bytes) -> Allowed:
        """Return the tokens that agree with `text`, which is not empty."""
        low = bisect_left(self._sorted, text)
        high = bisect_right(self._sorted, text, low, key=lambda token: token[: len(text)])
        ids = [
            id
            for length in range(1, min(len(text), self._longest + 1))
            for id in self._by_bytes.get(text[:length], ())
        ]
        return Allowed(tuple(ids), low, high)
