"""
What was typed between two states of a document, where the editor closes brackets and quotes.

Whoever types `foo(` may get `foo()` with the cursor between the two: what follows the cursor has
then changed by that bracket, and yet nothing but `foo(` was typed.
"""

from collections.abc import Iterator

from opencoder_lsp.lsp.ending import Ending
from opencoder_lsp.prompt.completion import Place

CLOSERS = ")]}\"'`"
MOST_CLOSERS = 4  # that are looked for right of a cursor
_CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "\"'`"


def unclosed(typed: str) -> str:
    """Return what closes the pairs that `typed` leaves open, the innermost first."""
    stack = list[str]()
    for at, character in enumerate(typed):
        if stack and character == stack[-1]:
            stack.pop()
        elif character in _CLOSER_OF:
            stack.append(_CLOSER_OF[character])
        elif character in _QUOTES and not (at and typed[at - 1].isalnum()):
            stack.append(character)
    return "".join(reversed(stack))


def typed_since(then: Place, now: Place) -> str | None:
    """
    Return what was typed, with LF line ends, between two states of a document.

    None where the text has changed in any other way. The editor may have closed what was opened.
    """
    if not now.prefix.startswith(then.prefix):
        return None
    typed = now.prefix[len(then.prefix) :]
    if now.suffix != then.suffix:
        extra = len(now.suffix) - len(then.suffix)
        if not 0 < extra <= MOST_CLOSERS or not now.suffix.endswith(then.suffix):
            return None
        if not unclosed(typed).startswith(now.suffix[:extra]):
            return None
    return typed.replace("\r\n", "\n")


def typed_into(then: Place, text: str) -> Iterator[str]:
    """
    Yield what may have been typed at a place, given the text of the document since.

    Without a cursor a bracket at the end may be typed, or put there by the editor.
    """
    left, right = then.prefix, then.suffix
    if len(text) < len(left) + len(right):
        return
    if not (text.startswith(left) and text.endswith(right)):
        return
    between = text[len(left) : len(text) - len(right)].replace("\r\n", "\n")
    yield between
    for count in range(1, min(MOST_CLOSERS, len(between)) + 1):
        typed, closers = between[:-count], between[-count:]
        if closers[0] not in CLOSERS:
            return
        if unclosed(typed).startswith(closers):
            yield typed


def rest_of(text: str, typed: str, closed: int, now: Place, *, complete: bool) -> str:
    """
    Return what is left of a suggestion behind what was typed of it.

    Where the editor has closed pairs, `closed` characters right of the cursor, the rest stops
    where it closes them, too.
    """
    rest = text[len(typed) :]
    return Ending(now).cut(rest, final=complete)[0] if closed and rest else rest


def is_between(start: Place, end: Place, text: str) -> bool:
    """
    Return whether a document with this text can be on its way from one place to another.

    `end` is `start` with something inserted, and perhaps closing characters behind it replaced.
    """
    if not text.endswith(end.suffix):
        return False
    before = text[: len(text) - len(end.suffix)]
    for closed in range(MOST_CLOSERS + 1):
        shortest = len(before) - closed
        if shortest < len(start.prefix) or (closed and before[shortest] not in CLOSERS):
            return False
        if end.prefix.startswith(before[:shortest]):
            return True
    return False
