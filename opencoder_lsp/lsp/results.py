"""
Suggestions that were made before, for when the cursor comes back to where they fit.

A result is found again where the text left of the cursor, as far as a prompt reaches, and what
follows it are as they were: after a deletion, an undo or a jump there and back. So it is where
some of the suggestion has been typed since. It is not found once anything around it has changed.
"""

from collections import OrderedDict
from dataclasses import dataclass

from opencoder_lsp.lsp.typed import CLOSERS, MOST_CLOSERS, rest_of, unclosed
from opencoder_lsp.prompt.completion import Place

_BEFORE = 16_000  # characters: what the longest prompt that `auto` gives (4096 tokens) holds
_AFTER = 4_000  # likewise of what follows
_SIZE = 128  # results of a document that are kept
_Key = tuple[int, int, int]  # the offset of the place, hashes of the text before and after it


@dataclass(frozen=True, slots=True)
class Known:
    """
    What is known to be left to suggest at a place, the likeliest first; "" is nothing at all.

    `several` says that others than the likeliest were asked for, too. `shown` is what the likeliest
    was made into for the file (its indentation, say), "" where that is the text itself.
    """

    texts: tuple[str, ...]
    several: bool = False
    shown: str = ""


class Results:
    """The results of one document, the latest `size` that were made or used."""

    def __init__(self, size: int = _SIZE) -> None:
        self._size = size
        self._known = OrderedDict[_Key, Known]()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    def put(self, place: Place, known: Known) -> None:
        """Keep what is to be suggested at a place."""
        key = (len(place.prefix), _before(place.prefix), _after(place.suffix))
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    def get(self, place: Place) -> Known | None:
        """
        Return what is left to suggest at a place, None where that is not known.

        The result for the nearest place counts. One that has been typed to its end is none: what
        comes next is another one.
        """
        found: tuple[int, _Key, Known] | None = None
        for closed in range(MOST_CLOSERS + 1):
            if closed and place.suffix[closed - 1 : closed] not in tuple(CLOSERS):
                break
            after = _after(place.suffix[closed:])
            for key, known in self._known.items():
                if key[2] != after or (found is not None and key[0] <= found[0]):
                    continue
                rest = _rest(key, known, closed, place)
                if rest is not None:
                    found = key[0], key, rest
        if found is None:
            return None
        self._known.move_to_end(found[1])
        return found[2]


def _rest(key: _Key, known: Known, closed: int, now: Place) -> Known | None:
    """Return what is left of a result at a place; `closed` are pairs closed since."""
    at = key[0]
    longest = max(map(len, (*known.texts, known.shown)))
    if not at <= len(now.prefix) <= at + 2 * longest:  # 2: CRLF
        return None
    typed = now.prefix[at:].replace("\r\n", "\n")
    if closed and not unclosed(typed).startswith(now.suffix[:closed]):
        return None
    forms = (*known.texts, known.shown)
    agreeing = [text for text in forms if text.startswith(typed) and text != typed]
    if not typed:
        agreeing = list(known.texts)
    if not agreeing or _before(now.prefix[:at]) != key[1]:
        return None
    rests = (rest_of(text, typed, closed, now, complete=True) for text in agreeing)
    return Known(tuple(dict.fromkeys(rests)), known.several and not typed)


def _before(prefix: str) -> int:
    """Return a hash of the end of a text; line ends do not matter."""
    return hash(prefix[-2 * _BEFORE :].replace("\r\n", "\n")[-_BEFORE:])


def _after(suffix: str) -> int:
    return hash(suffix[: 2 * _AFTER].replace("\r\n", "\n")[:_AFTER])
