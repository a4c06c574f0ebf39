"""
Where a suggestion ends: looked at while it is made, so that the engine stops as soon as it can.

How much is wanted depends on the place (unless `completion.lines` says it):

* With code right of the cursor, and in a comment or a docstring, the rest of the line.
* Behind the beginning of a statement, up to its end: the line, and more while brackets are open.
* On a blank line, and where the text begins with a line end, a block: until a line leaves the
  block of the cursor's line, or comes back to its indentation after a block was written (a closing
  bracket still belongs to it); until a blank line with nothing of the block behind it.

Always it ends at the fence that closes the prompt's code block, at a bracket that the file closes
below, and at what no suggestion should hold (`unwanted`). Of a text that is not complete, only what
more text cannot change is decided: it does not matter how a stream is cut into pieces.
"""

import re
from enum import Enum

from opencoder_lsp.lsp.cursor import Cursor, indent
from opencoder_lsp.lsp.syntax import PAIRS, PROSE, carried, read
from opencoder_lsp.lsp.unwanted import Repetition, circles, clean, is_talk, repeats_below
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.tasks import fence_for

_CLOSING_LINE = re.compile(r"\s*[)\]}]+[\s)\]};,]*|\s*(end|fi|done|esac)\s*;?\s*")
_GOES_ON = re.compile(
    r"\s*([)\]}]|(else|elif|except|finally|catch|rescue|case|when|default|ensure)\b|\{\s*$)"
)
# A bracket at the end of a line that opens a block, not a value: `if (a) {`, `struct A {`.
_BLOCK_BRACKET = re.compile(r".*[\w)]\s*\{\s*")
_VALUE_BRACKET = re.compile(r".*\b(return|yield|default)\s*\{\s*")
_FENCE = "```"
_LONGEST_BLANKS = 200  # characters


class _Extent(Enum):
    LINE = "the rest of the line"
    STATEMENT = "up to the end of the statement"
    BLOCK = "a block of lines"


class Ending:
    """The rules for one place. `Ending(place).cut(text)` is what of `text` is to be shown."""

    def __init__(self, place: Place) -> None:
        self._cursor = Cursor.of(place)
        self._fence = _FENCE
        if place.language.lower() in PROSE:  # blocks are text there: the prompt's has a longer one
            self._fence = fence_for(place.prefix, place.suffix)

    def cut(self, text: str, *, final: bool = False, truncated: bool = False) -> tuple[str, bool]:
        """
        Return what of `text` (LF line ends) is to be shown, and whether no more can follow.

        `final` says that nothing more comes, `truncated` that the token limit cut it off: then an
        unfinished last line is dropped, unless it is the only one.
        """
        if not final:
            text = text.removesuffix("\r")  # a line feed may follow
        text, ended = clean(text, self._cursor.place)
        lines = text.split("\n")
        if truncated and not ended and len(lines) > 1:
            lines.pop()
        count, done = _Walk(self._cursor, self._fence, lines, final or ended).end()
        shown, done = "\n".join(lines[:count]), done or ended
        if final or done:
            shown = shown[: self._cursor.closed_below(shown)]
            shown = shown if self._cursor.rest else shown.rstrip()
        return (shown if shown.strip() else ""), done


class _Walk:
    """One pass over the lines of a text; `final` says that the last one is complete."""

    def __init__(self, cursor: Cursor, fence: str, lines: list[str], final: bool) -> None:
        self._cursor = cursor
        self._fence = fence
        self._lines = lines
        self._complete = len(lines) if final else len(lines) - 1
        self._repetition = Repetition(cursor)
        self._extent = self._wanted()
        self._base = self._base_indent()
        self._inside = False  # a deeper block than that
        self._mark = cursor.mark  # of the comment or string that goes on in the line
        self._brackets = ""  # open in front of it, since the cursor's line began

    def end(self) -> tuple[int, bool]:
        """Return how many lines belong to the suggestion, and whether there is an end to it."""
        for number, line in enumerate(self._lines):
            whole = number < self._complete
            count = self._before(number, line)
            if count is None and whole and line.strip():
                count = self._unwanted(number, line)
            if count is not None:
                return self._without_blank(count), True
            if whole and self._is_last(number, line):
                return number + 1, True
        return len(self._lines), False

    def _wanted(self) -> _Extent:
        cursor, here = self._cursor, self._lines[0].strip() or len(self._lines) == 1
        if not cursor.is_open or cursor.place.lines == "single":
            return _Extent.LINE
        if here and cursor.is_in_text:
            return _Extent.LINE
        if here and cursor.place.lines == "auto" and not cursor.is_blank:
            return _Extent.STATEMENT
        return _Extent.BLOCK

    def _base_indent(self) -> int:
        if self._cursor.line:
            return indent(self._cursor.line)
        return next((indent(line) for line in self._lines if line.strip()), 0)

    def _before(self, number: int, line: str) -> int | None:
        """Return how many lines to keep if what has come of this one ends the suggestion."""
        blank = not line.strip()
        if blank and len(line) > _LONGEST_BLANKS:
            return number
        if line.lstrip().startswith(self._fence) or circles(line):
            return number
        after_blank = number > 1 and not self._lines[number - 1].strip()
        if blank:
            return number if after_blank and number < self._complete else None
        is_first = number == 0 or not (self._cursor.line or "".join(self._lines[:number]).strip())
        if is_first or self._mark:
            return None
        deep = indent(line)
        if deep < self._base:
            closes = line.lstrip()[0] in PAIRS and self._cursor.spare
            return None if closes else number
        return number if after_blank and deep <= self._base else None

    def _unwanted(self, number: int, line: str) -> int | None:
        """Return how many lines to keep if this whole line, not a blank one, is not wanted."""
        cursor = self._cursor
        joined = cursor.line + line if number == 0 else line
        if repeats_below(joined, cursor):
            return number
        if not self._mark and is_talk(joined, cursor.place.language):
            return number
        copied = self._repetition.repeated(joined)
        if copied is not None:
            return self._back(number, copied)
        comes_back = number > 0 and not self._mark and self._inside and indent(line) == self._base
        if self._extent is _Extent.BLOCK and comes_back:
            return None if _GOES_ON.match(line) or _CLOSING_LINE.fullmatch(line) else number
        return None

    def _back(self, number: int, count: int) -> int:
        """Return where the last `count` lines up to this one begin, blank ones not counted."""
        while number > 0 and count > 1:
            number -= 1
            count -= bool(self._lines[number].strip())
        return number

    def _is_last(self, number: int, line: str) -> bool:
        """Return whether a whole line, which belongs to the suggestion, is its last one."""
        cursor, syntax = self._cursor, self._cursor.syntax
        begun_in = self._mark
        code = cursor.head + line if number == 0 else begun_in + line
        reading = read(code, syntax, self._brackets)
        self._mark, self._brackets = carried(reading, code, syntax), reading.brackets
        if number > 0 and not begun_in:
            deep = indent(line) if line.strip() else 0
            if self._inside and deep == self._base and _CLOSING_LINE.fullmatch(line):
                return True
            if line.strip() and deep < self._base:  # a bracket that was opened above
                return True
            self._inside = self._inside or deep > self._base
        if reading.extra and cursor.closed_below("\n".join(self._lines[: number + 1])) is not None:
            return True
        if self._extent is _Extent.LINE:
            return not cursor.is_open or bool(line.strip())
        if self._mark or code.endswith("\\"):
            return False
        if self._extent is _Extent.STATEMENT:
            block = _BLOCK_BRACKET.fullmatch(code) and not _VALUE_BRACKET.fullmatch(code)
            return not self._brackets or bool(self._brackets == "{" and block)
        opened = cursor.left.brackets or (cursor.is_in_text and begun_in)
        return number > 0 and bool(opened) and not self._brackets

    def _without_blank(self, count: int) -> int:
        while count > 1 and not self._lines[count - 1].strip():
            count -= 1
        return count
