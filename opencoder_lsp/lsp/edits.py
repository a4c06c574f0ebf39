"""Where documents were edited lately, as lines of what they are now."""

from collections.abc import Sequence

from lsprotocol import types

MOST = 3  # places of one document
_CLOSE = 10  # lines between edits that are one place
_LONGEST = 40  # lines of one place

Places = tuple[tuple[int, int], ...]  # first and last line, the newest first


def with_changes(places: Places, changes: Sequence[types.TextDocumentContentChangeEvent]) -> Places:
    """Return the places after an editor's changes; a document that is new as a whole has none."""
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            places = _with_change(places, change)
        else:
            places = ()
    return places


def _with_change(places: Places, change: types.TextDocumentContentChangePartial) -> Places:
    first, last = sorted((change.range.start.line, change.range.end.line))
    added = change.text.count("\n")
    grown = added - (last - first)
    place, others = (first, first + added), list[tuple[int, int]]()
    for start, end in places:
        if start > last:
            start, end = start + grown, end + grown
        joined = min(start, place[0]), max(end, place[1])
        if (
            joined[1] - joined[0] < _LONGEST
            and start - _CLOSE <= place[1]
            and (end + _CLOSE >= place[0])
        ):
            place = joined
        else:
            others.append((start, end))
    return (place, *others)[:MOST]
