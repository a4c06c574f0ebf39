"""
Whether Python code still parses with a suggestion in it: only the code around it is looked at.

That is the function or statement that the cursor is in, as far as indentation tells. Where it is
too large, or not to be understood without the suggestion either, there is no objection.
"""

import re
import sys
from collections.abc import Sequence

from opencoder_lsp.lsp.cursor import indent
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.python_parser import parse

_LINES = 100  # on each side: parsing as many takes about a millisecond
_REACH = 12_000  # characters on each side
_HEADER = re.compile(r"\s*(?:async\s+def|def|class)\b")
_INNER = re.compile(r"\s*(?:[)\]}#]|(?:elif|else|except|finally|case)\b|\Z)")
_FRAME = "if 1:\n"  # what code that is indented can stand in
# What the line that the user began lacks, not the suggestion.
_UNFINISHED = ("expected an indented block", "was never closed", "unterminated")


def spoils(place: Place, text: str, replaced: int) -> bool:
    """
    Return whether Python's parser objects to `text` in the place of the cursor.

    That is where the code parses without it and not with it, or where the fault lies in it or
    behind it on its lines, and nowhere else.
    """
    around = _around(place, text)
    if around is None:
        return False
    before, after = around
    fault = _fault(before + text + after[replaced:])
    if fault is None:
        return False
    if _fault(before + after) is None:
        return True
    if any(words in fault.msg for words in _UNFINISHED):
        return False
    first, left = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
    at = (fault.lineno or 0, fault.offset or 0)
    within = (first, left + 1) <= at <= (first + text.count("\n"), sys.maxsize)
    return within and _fault(_without_line(before, after)) is None


def _without_line(before: str, after: str) -> str:
    """Return the code with a statement that does nothing in place of the cursor's line."""
    start = before.rfind("\n") + 1
    line = before[start:]
    blank = line[: len(line) - len(line.lstrip(" \t"))]
    below = after.partition("\n")[2]
    return f"{before[:start]}{blank}pass\n{below}"


def _fault(code: str) -> SyntaxError | None:
    try:
        parse(code)
    except SyntaxError as error:
        return error
    return None


def _around(place: Place, text: str) -> tuple[str, str] | None:
    """Return the code left and right of the cursor that can be parsed; None if it is too much."""
    above = place.prefix[-_REACH:].replace("\r\n", "\n").split("\n")
    below = place.suffix[:_REACH].replace("\r\n", "\n").split("\n")
    whole_above = len(place.prefix) <= _REACH and len(above) <= _LINES
    whole_below = len(place.suffix) <= _REACH and len(below) <= _LINES
    start, column = 0, 0
    if not whole_above:
        line = above[-1] if above[-1].strip() else above[-1] + text.lstrip("\n")
        found = _start(above[-_LINES:], indent(line))
        if found is None:
            return None
        start, column = len(above) - found, indent(above[-found])
    if not whole_below:
        end = _end(below[:_LINES], column)
        if end is None:
            return None
        below = [*below[:end], ""]
    code = "\n".join(above[start:])
    return (_FRAME + code if column else code), "\n".join(below)


def _start(lines: Sequence[str], column: int) -> int | None:
    """Return how many of the last lines begin with what the cursor, at this column, is in."""
    for count in range(1, len(lines) + 1):
        line = lines[-count]
        if _INNER.match(line):
            continue
        if indent(line) == 0 or (indent(line) < column and _HEADER.match(line)):
            return count
    return None


def _end(lines: Sequence[str], column: int) -> int | None:
    """Return how many lines from the cursor's on belong to what begins at this column."""
    for number, line in enumerate(lines[1:], 1):
        if indent(line) <= column and not _INNER.match(line):
            return number
    return None
