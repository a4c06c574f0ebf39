"""
The slowest document that could be right: one string, walked through character by character.

Written from the specification, not from `opencoder_lsp.lsp.documents`, so that two different
readings of it meet in the property tests.
"""

from collections.abc import Callable
from dataclasses import dataclass

UNITS: dict[str, Callable[[str], int]] = {
    "utf-8": lambda char: len(char.encode("utf-8")),
    "utf-16": lambda char: 2 if ord(char) > 0xFFFF else 1,
    "utf-32": lambda char: 1,
}


@dataclass
class Reference:
    """A text, and positions in units of `encoding`."""

    text: str
    encoding: str

    def line_starts(self) -> list[int]:
        """Where lines begin, by LSP's three line breaks."""
        starts, at = [0], 0
        while at < len(self.text):
            if self.text.startswith("\r\n", at):
                at += 2
                starts.append(at)
            elif self.text[at] in "\r\n":
                at += 1
                starts.append(at)
            else:
                at += 1
        return starts

    def offset(self, line: int, character: int) -> int:
        """Walk to a position; stop at a line break or the end, and after a character cut in two."""
        starts = self.line_starts()
        if line >= len(starts):
            return len(self.text)
        at, units = starts[line], 0
        while at < len(self.text) and self.text[at] not in "\r\n" and units < character:
            units += UNITS[self.encoding](self.text[at])
            at += 1
        return at

    def replace(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        """Replace a range; lone surrogates come in as U+FFFD."""
        first, last = sorted((self.offset(*start), self.offset(*end)))
        self.text = self.text[:first] + without_surrogates(text) + self.text[last:]


def without_surrogates(text: str) -> str:
    """Replace each lone surrogate by U+FFFD."""
    return "".join("\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)
