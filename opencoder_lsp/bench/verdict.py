"""What a suggestion would make of a file, compared with the file as it really is."""

import re
from dataclasses import dataclass

from opencoder_lsp.bench.definitions import parses
from opencoder_lsp.bench.holes import Hole

_LINE = re.compile(r"[^\r\n]*(\r\n?|\n|\Z)")
_WORDLESS = re.compile(r"\W*")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text and the range that it replaces: (line, code points), both counted from 0."""

    text: str
    start: tuple[int, int]
    end: tuple[int, int]

    def accepted_in(self, file: str) -> str:
        """Return the file with the suggestion in it."""
        return file[: _offset(file, self.start)] + self.text + file[_offset(file, self.end) :]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What is to be said of an answer; one without a suggestion is never exact nor similar.

    `exact` and `similarity` (0 to 1, by the edits between them) compare the rest of the cursor's
    line as it is after accepting with the true one. `parses` and `unbroken` are None without a
    suggestion, or where the file is not Python: whether the file then parses; whether it does, or
    did not before either. `repeats`: whether the suggestion writes again what follows it.
    """

    shown: bool
    exact: bool
    similarity: float
    parses: bool | None
    unbroken: bool | None
    repeats: bool


def judge(hole: Hole, suggestion: Suggestion | None) -> Verdict:
    """Judge an answer at a hole."""
    if suggestion is None or not suggestion.text:
        return Verdict(False, False, 0.0, None, None, False)
    after = suggestion.accepted_in(hole.holed)
    # An answer that changes what stands left of the cursor is wrong whatever it says.
    kept = after.startswith(hole.prefix)
    written = _first_line(after[len(hole.prefix) :]) if kept else ""
    truth = hole.truth.rstrip()
    valid = parses(after) if hole.path.endswith(".py") else None
    return Verdict(
        shown=True,
        exact=written.rstrip() == truth,
        similarity=similarity(written.rstrip(), truth),
        parses=valid,
        unbroken=None if valid is None else valid or not parses(hole.holed),
        repeats=_repeats(hole, after) if kept else False,
    )


def similarity(one: str, other: str) -> float:
    """Return 1 less the share of characters to insert, delete or replace (Levenshtein)."""
    row = list(range(len(other) + 1))
    for number, left in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for column, right in enumerate(other, 1):
            edits = min(diagonal + (left != right), row[column] + 1, row[column - 1] + 1)
            diagonal, row[column] = row[column], edits
    return 1 - row[-1] / max(len(one), len(other), 1)


def _repeats(hole: Hole, after: str) -> bool:
    """
    Whether what was written ends with the lines, or the brackets, that follow it.

    Brackets alone count only where the file parses without them and not with them: two blocks may
    well end one after the other. What the file really says is no repetition.
    """
    begin, end = len(hole.prefix), len(after) - len(hole.suffix)
    if not after.endswith(hole.suffix) or after[begin:end].rstrip() == hole.truth.rstrip():
        return False
    line = max(hole.prefix.rfind("\n"), hole.prefix.rfind("\r")) + 1
    written, below = _code_lines(after[line:end]), _code_lines(hole.suffix)
    for count in range(1, min(len(written), len(below)) + 1):
        same = _same(written[-count:], below[:count])
        if count == len(written):  # the cursor's line stood there before, and where it stands
            same = same and written[0] == below[0]
        if same and not all(_WORDLESS.fullmatch(one) for one in below[:count]):
            return True
    if not hole.path.endswith(".py") or parses(after):
        return False
    last = after[begin:end].rstrip()
    shorter = [last.removesuffix(hole.tail)] if hole.tail else []
    if below and len(written) > 1 and _same(written[-1:], below[:1]):
        shorter.append(last[: -len(below[0].strip())])
    return any(parses(hole.prefix + text + hole.suffix) for text in shorter if text != last)


def _code_lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _same(one: list[str], other: list[str]) -> bool:
    """Whether lines are the same, however they are indented."""
    return [line.strip() for line in one] == [line.strip() for line in other]


def _first_line(text: str) -> str:
    return re.split(r"[\r\n]", text, maxsplit=1)[0]


def _offset(text: str, place: tuple[int, int]) -> int:
    """Return the offset of a place; beyond the end of a line it is that end, as in LSP."""
    number, column = place
    for match in _LINE.finditer(text):
        if number == 0:
            return min(match.start() + column, match.start(1))
        number -= 1
    return len(text)
