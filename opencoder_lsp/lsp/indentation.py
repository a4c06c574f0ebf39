"""
The indentation of a suggestion, brought to that of the file: its tabs, or its number of blanks.

What is on the cursor's line already stays. A suggestion that agrees with the file is left alone;
else each level of it becomes one of the file's, whatever the model took for a level.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from opencoder_lsp.lsp.cursor import Cursor, blanks, indent

_TABBED = frozenset({"go", "makefile", "make"})
_BLOCK = re.compile(r"[:{]\s*(?:(?:#|//).*)?\Z")
_UNFINISHED = re.compile(r".*(?:[(\[,\\=+\-*/&|<>?.]|\b(?:and|or|not|in|is|else|return))\s*")
_WIDTHS = (2, 3, 4, 8)
_DEFAULT = "    "


def repaired(text: str, cursor: Cursor) -> str:
    """Return `text` indented as the file is."""
    unit = unit_of(cursor)
    lines = _first_repaired(text.split("\n"), cursor, unit or _DEFAULT)
    if unit is None or not _differs(lines, cursor, unit):
        return "\n".join(lines)
    return "\n".join(_levelled(lines, cursor, unit))


def unit_of(cursor: Cursor) -> str | None:
    """Return what a level of the file around the cursor is indented by, None if that is unknown."""
    above = (*cursor.above, cursor.line)
    lines = [*above, *cursor.below]
    tabs = sum(line.startswith("\t") for line in lines)
    spaces = sum(line.startswith("  ") for line in lines)
    if tabs > spaces or (tabs == spaces and cursor.place.language.lower() in _TABBED):
        return "\t"
    widths = Counter(
        step for part in (above, cursor.below) for step in _steps(part) if step in _WIDTHS
    )
    return " " * widths.most_common(1)[0][0] if widths else None


def _steps(lines: Sequence[str]) -> list[int]:
    """Return by how many columns lines are deeper than the openings of blocks above them."""
    lines = [line for line in lines if line.strip()]
    return [
        indent(below) - indent(above)
        for above, below in pairwise(lines)
        if _BLOCK.search(above) and indent(below) > indent(above)
    ]


def _is_stepwise(cursor: Cursor) -> bool:
    """Whether a block is indented by one level, and nothing else by less or more (as in YAML)."""
    return cursor.place.language.lower() == "python" or "//" in cursor.syntax.comments


def _differs(lines: list[str], cursor: Cursor, unit: str) -> bool:
    """Return whether a suggestion is indented in another way than the file."""
    leads = [blanks(line) for line in lines if line.strip()][not cursor.is_blank :]
    if not cursor.is_blank and not lines[0].strip():
        leads = [blanks(line) for line in lines[1:] if line.strip()]
    if unit == "\t":
        return any(lead.startswith("  ") for lead in leads)
    if any("\t" in lead for lead in leads):
        return True
    first = cursor.line + lines[0]
    return _is_stepwise(cursor) and any(step != len(unit) for step in _steps([first, *lines[1:]]))


def _levelled(lines: list[str], cursor: Cursor, unit: str) -> list[str]:
    """Return the lines with each level of theirs made one of the file's."""
    above = cursor.above[-1] if cursor.is_blank and not cursor.line and cursor.above else ""
    reference = blanks(above or cursor.line)
    width = _width(lines, cursor, reference.count("\t"))
    levels = [(0, "")]  # columns in the suggestion, blanks in the file
    for end in range(1, len(reference) + 1):
        if reference[:end] == unit * (end // len(unit)):
            column = width * (end // len(unit)) if unit == "\t" else end
            levels.append((column, reference[:end]))
    result, before = list[str](), levels[-1][0]
    for number, line in enumerate(lines):
        lead = blanks(line)
        if not line.strip() or (number == 0 and (cursor.line or not lead)):
            result.append(line)
            continue
        column = len(lead.expandtabs(width))
        asterisk = line.lstrip().startswith("*") and column % 2  # of a comment: ` * text`
        _step(levels, column - bool(asterisk), before, unit)
        result.append(levels[-1][1] + " " * bool(asterisk) + line.lstrip(" \t"))
        before = levels[-1][0]
    return result


def _step(levels: list[tuple[int, str]], column: int, before: int, unit: str) -> None:
    """Make the last level that of a line which begins at a column."""
    while len(levels) > 1 and levels[-2][0] >= column:
        levels.pop()
    nearer_above = len(levels) > 1 and column - levels[-2][0] < levels[-1][0] - column
    if column < levels[-1][0] and nearer_above:
        levels.pop()
    if column > levels[-1][0] and column > before:
        levels.append((column, levels[-1][1] + unit))
    elif len(levels) > 1:
        levels[-1] = (column, levels[-1][1])


def _width(lines: list[str], cursor: Cursor, tabs: int) -> int:
    """Return how many columns a level of the suggestion has; the cursor's line has some tabs."""
    inner = [indent(line) for line in lines[1:] if line.strip()]
    if inner and tabs and _BLOCK.search(cursor.line + lines[0]):
        width, more = divmod(inner[0], tabs + 1)  # one level deeper than the line that opens it
        if width in _WIDTHS and not more:
            return width
    columns = sorted(set(inner))
    steps = [after - before for before, after in pairwise([0, *columns]) if after - before > 1]
    return min(steps) if steps and min(steps) in _WIDTHS else len(_DEFAULT)


def _first_repaired(lines: list[str], cursor: Cursor, unit: str) -> list[str]:
    """Return the lines with the first of them where the line above lets it begin."""
    if not cursor.is_blank or not cursor.above or not lines[0].strip() or not _is_stepwise(cursor):
        return lines
    above, lead = cursor.above[-1], blanks(lines[0])
    opens, column = _BLOCK.search(above) is not None, indent(cursor.line + lead)
    deepest = indent(above) + indent(unit) * opens
    if lead and column > max(deepest, indent(cursor.line)) and not _UNFINISHED.fullmatch(above):
        wanted = blanks(above) + unit * opens
        lead = wanted[len(cursor.line) :] if wanted.startswith(cursor.line) else ""
        shift = column - indent(cursor.line + lead)
    elif cursor.place.language == "python" and opens and column <= indent(above):
        wanted = blanks(above) + unit
        lead = wanted[len(cursor.line) :] if wanted.startswith(cursor.line) else unit
        shift = column - indent(cursor.line + lead)
    else:
        return lines
    return [lead + lines[0].lstrip(" \t"), *_shifted(lines[1:], shift, column)]


def _shifted(lines: list[str], shift: int, column: int) -> list[str]:
    """Return lines moved left by so many columns, if none of them begins left of a column."""
    if any(indent(line) < column for line in lines if line.strip()):
        return lines
    return [
        " " * (indent(line) - shift) + line.lstrip(" \t") if line.strip() else line
        for line in lines
    ]
