"""What stands around a cursor, as far as it decides where a suggestion ends and what is shown."""

import re
from dataclasses import dataclass

from opencoder_lsp.lsp.syntax import PAIRS, Reading, Syntax, open_at_end, read, syntax_of
from opencoder_lsp.prompt.completion import Place

REACH = 4000  # characters on each side that are looked at
TAB = 4  # columns of a tab, where indentations are compared
_CLOSING = re.compile(r"[\s)\]}>\"'`;:,]*")
_LINE_BREAK = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Cursor:
    """
    A place, taken apart.

    `line` and `rest` are the cursor's line left and right of it; `above` and `below` the lines
    around that are not blank, the nearest ones last and first. `mark` is that of a comment or
    string which began on a line above and goes on in `line`; `left` is `line` as it is read.
    """

    place: Place
    syntax: Syntax
    line: str
    rest: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    mark: str
    left: Reading

    @classmethod
    def of(cls, place: Place) -> "Cursor":
        """Take a place apart."""
        prefix, syntax = place.prefix, syntax_of(place.language)
        start = max(prefix.rfind("\n"), prefix.rfind("\r")) + 1
        rest, *below = _LINE_BREAK.split(place.suffix[:REACH])
        above = _LINE_BREAK.split(prefix[max(0, start - REACH) : start])
        line = prefix[start:]
        mark = open_at_end(prefix[:start], syntax)
        return cls(
            place,
            syntax,
            line,
            rest.rstrip(),
            tuple(one for one in above if one.strip()),
            tuple(one for one in below if one.strip()),
            mark,
            read(mark + line if len(line) <= REACH else "", syntax),
        )

    @property
    def head(self) -> str:
        """What is read in front of the cursor. A longer line is data: its brackets do not count."""
        return self.mark + self.line if len(self.line) <= REACH else ""

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing left of the cursor on its line."""
        return not self.line.strip()

    @property
    def is_open(self) -> bool:
        """Whether the line ends here, but for brackets and quotes that an editor closed itself."""
        return _CLOSING.fullmatch(self.rest) is not None

    @property
    def is_in_text(self) -> bool:
        """Whether the cursor is in a comment, or in a string that may have several lines."""
        return bool(self.left.inside) and self.left.inside not in self.syntax.quotes

    @property
    def spare(self) -> int:
        """How many brackets are open above that nothing below closes, as far as that is known."""
        if len(self.place.suffix) > REACH:
            return 0
        opened = read("\n".join(self.above), self.syntax).brackets
        return max(0, len(opened) - len(read("\n".join(self.below), self.syntax).extra))

    def closed_below(self, text: str) -> int | None:
        """
        Return where `text` closes a bracket that was opened above and is closed in a line below.

        Those right of the cursor do not count: they are replaced by what closes them in the text.
        """
        extra = self.reading(text).extra
        if not extra or not self.below or self.below[0].lstrip()[0] not in PAIRS:
            return None
        spare = self.spare + sum(character in PAIRS for character in self.rest)
        return extra[spare] if len(extra) > spare else None

    def reading(self, text: str) -> Reading:
        """Read the line with `text` in the cursor's place; positions in `extra` are in `text`."""
        found = read(self.head + text, self.syntax)
        extra = tuple(at - len(self.head) for at in found.extra if at >= len(self.head))
        return Reading(found.inside, found.brackets, extra)


def indent(line: str) -> int:
    """Return how many columns of blanks a line begins with."""
    return len(blanks(line).expandtabs(TAB))


def blanks(line: str) -> str:
    """Return the blanks that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]
