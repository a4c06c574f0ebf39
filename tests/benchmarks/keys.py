"""
Typing, key by key, as an editor tells a language server of it.

Two traces, the same on every machine and for every version. `recorded` takes the edits of
`opencoder_lsp/bench/typing.json` apart into keys: those within a token come 90 to 170 ms after one
another, by a seed; where the typist of that trace read the answer, so does this one. `editing` is
the script `editing.txt` in the same file: with brackets and quotes that the editor closes, with
deletions and jumps.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opencoder_lsp.bench.trace import Trace

SCRIPT = Path(__file__).with_name("editing.txt")
KEYS = 200
_FASTEST, _SLOWEST = 0.09, 0.17  # seconds from key to key
_PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}

Position = tuple[int, int]  # line and character; the texts are ASCII


@dataclass(frozen=True, slots=True)
class Press:
    """
    One key: what it changes, from `start` to `end`, and where the cursor then is.

    `typed` is what the typist wrote, without what the editor added. A jump changes nothing.
    `reads` is whether the typist waits for the answer before the next key, which else comes after
    `gap` seconds. `place` is the text left and right of the cursor.
    """

    start: Position
    end: Position
    text: str
    cursor: Position
    typed: str
    jumped: bool
    reads: bool
    gap: float
    place: tuple[str, str]


class Typist:
    """An editor's buffer, its cursor, and whether it closes pairs."""

    def __init__(self, text: str, *, closes_pairs: bool, seed: int = 1) -> None:
        self.text = text
        self.cursor = 0
        self._closes_pairs = closes_pairs
        self._random = random.Random(seed)

    def press(self, key: str, *, reads: bool = False) -> Press:
        """Type one character, or a line end with the indentation that the editor adds."""
        after = self.text[self.cursor : self.cursor + 1]
        if self._closes_pairs and key == after and key in _PAIRS.values():
            return self._change(self.cursor, self.cursor + 1, key, 1, key, reads=reads)
        closer = _PAIRS.get(key, "") if self._closes_pairs else ""
        if after.isalnum() or (closer == key and self.text[self.cursor - 1].isalnum()):
            closer = ""
        return self._change(self.cursor, self.cursor, key + closer, len(key), key, reads=reads)

    def delete(self, count: int = 1, *, reads: bool = False) -> Press:
        """Delete to the left; between a pair that is empty, the other half goes, too."""
        start, end = self.cursor - count, self.cursor
        if self._closes_pairs and count == 1:
            left, right = self.text[start:end], self.text[end : end + 1]
            end += bool(right) and _PAIRS.get(left) == right
        return self._change(start, end, "", 0, "", reads=reads)

    def jump(self, offset: int) -> Press:
        """Move the cursor."""
        self.cursor = offset
        return self._change(offset, offset, "", 0, "", reads=True, jumped=True)

    def _change(
        self,
        start: int,
        end: int,
        text: str,
        advance: int,
        typed: str,
        *,
        reads: bool,
        jumped: bool = False,
    ) -> Press:
        before = self._position(start), self._position(end)
        self.text = self.text[:start] + text + self.text[end:]
        self.cursor = start + advance
        place = self.text[: self.cursor], self.text[self.cursor :]
        gap = self._random.uniform(_FASTEST, _SLOWEST)
        here = self._position(self.cursor)
        return Press(*before, text, here, typed, jumped, reads, gap, place)

    def _position(self, offset: int) -> Position:
        before = self.text[:offset]
        return before.count("\n"), offset - (before.rfind("\n") + 1)


def recorded(most: int = KEYS) -> tuple[str, list[Press]]:
    """Return the text of the recorded trace and its first keys."""
    trace = Trace.recorded()
    typist = Typist(trace.text, closes_pairs=False)
    presses = list[Press]()
    for at, deleted, text, hasty in trace.edits:
        if at + deleted != typist.cursor:
            presses.append(typist.jump(at + deleted))
        keys = _keys(text)
        for number in range(deleted):
            presses.append(typist.delete(reads=not hasty and number == deleted - 1))
        for number, key in enumerate(keys):
            presses.append(typist.press(key, reads=not hasty and number == len(keys) - 1))
    return trace.text, presses[:most]


def editing(script: str | None = None) -> tuple[str, list[Press]]:
    """
    Return the text of the recorded trace, and the keys of a script in it.

    Raises ValueError for a line of the script that is no action.
    """
    text = Trace.recorded().text
    typist = Typist(text, closes_pairs=True)
    lines = (script if script is not None else SCRIPT.read_text(encoding="utf-8")).splitlines()
    return text, [press for line in lines for press in _act(typist, line)]


def _act(typist: Typist, line: str) -> Iterator[Press]:
    action, _, rest = line.partition(" ")
    if not action or action == "#":
        return
    if action == "jump":
        at = typist.text.find(rest)
        if at < 0 or not rest:
            raise ValueError(f"the text has no {rest!r}")
        yield typist.jump(at + len(rest))
    elif action == "type":
        keys = _keys(rest)
        for number, key in enumerate(keys):
            yield typist.press(key, reads=number == len(keys) - 1)
    elif action == "enter":
        yield typist.press("\n" + " " * int(rest or 0), reads=True)
    elif action == "back":
        for number in range(int(rest)):
            yield typist.delete(reads=number == int(rest) - 1)
    else:
        raise ValueError(f"no such action: {action}")


def _keys(text: str) -> list[str]:
    """Cut a text into keys: a line end or indentation is one, as every editor has it."""
    return re.findall(r"\n *|^ {2,}|.", text)
