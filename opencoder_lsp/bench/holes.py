"""
Holes in real code: the rest of a line is taken away, and what comes back is compared with it.

Half of them begin within an identifier, half in front of one (behind a blank, a bracket, a dot).
The same sources, seed and Python give the same holes on every machine.
"""

import io
import keyword
import random
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from opencoder_lsp.bench.definitions import Definitions, parses
from opencoder_lsp.bench.sources import Source

Kind = Literal["line", "paired", "elsewhere"]
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_COMMENT = re.compile(r"\s*(#|//|/\*|\*|--|<!--|\"|')")
_LONE_RETURN = re.compile(r"\r(?!\n)")
_LONGEST = 80  # characters taken away
_SHORTEST_NAME = 3  # characters of an identifier that a cursor may stand in
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Hole:
    """
    A cursor in a file, and what was taken away to the right of it.

    `prefix` and `suffix` are the text left of the cursor and from the end of its line on. `tail` is
    what an editor leaves right of the cursor: brackets that it closed by itself. `truth` is the
    whole rest of the line. `elsewhere` says that it names something that this file imports
    and another file of the source defines.
    """

    source: str
    path: str
    line: int  # counted from 0
    character: int  # code points
    inside: bool
    elsewhere: bool
    prefix: str
    truth: str
    tail: str
    suffix: str

    @property
    def id(self) -> str:
        """A name for it, the same in each run: lines and columns count from 1."""
        return f"{self.source}:{self.path}:{self.line + 1}:{self.character + 1}"

    @property
    def holed(self) -> str:
        """The file with the hole in it."""
        return self.prefix + self.tail + self.suffix

    @property
    def whole(self) -> str:
        """The file as it really is."""
        return self.prefix + self.truth + self.suffix


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of code, and the spans of its identifiers."""

    path: str
    number: int
    text: str
    start: int  # offset in the file
    words: tuple[tuple[int, int], ...]


def cut(sources: Sequence[Source], count: int, seed: int, kind: Kind = "line") -> list[Hole]:
    """
    Return up to `count` holes, as many from each source, at most one in a line, in random order.

    Kind "paired" leaves closing brackets right of the cursor, as editors do that pair them; kind
    "elsewhere" has only holes that are so.
    """
    chance = random.Random(seed)
    holes = list[Hole]()
    for number, source in enumerate(sources):
        share = count // len(sources) + (number < count % len(sources))
        # Of an odd share, every other source has the larger part inside identifiers.
        holes += _of_source(source, share, (share + number % 2) // 2, chance, kind)
    chance.shuffle(holes)
    return holes


def _of_source(
    source: Source, count: int, inside: int, chance: random.Random, kind: Kind
) -> list[Hole]:
    definitions = Definitions(source)
    lines = [line for path, text in source.files.items() for line in _lines(path, text)]
    chance.shuffle(lines)
    halves: dict[bool, list[Hole]] = {True: [], False: []}
    wanted = {True: inside, False: count - inside}
    for line in lines:
        # The half that lacks more comes first, so that neither uses up the lines of the other.
        for half in sorted(halves, key=lambda half: len(halves[half]) - wanted[half]):
            if len(halves[half]) == wanted[half]:
                continue
            hole = _hole(source, line, half, chance, kind, definitions)
            if hole is not None:
                halves[half].append(hole)
                break
    return [*halves[True], *halves[False]]


def _hole(
    source: Source,
    line: _Line,
    inside: bool,
    chance: random.Random,
    kind: Kind,
    definitions: Definitions,
) -> Hole | None:
    places = _inside(line) if inside else _in_front(line)
    places = [place for place in places if _is_fair(line.text[place:])]
    if kind == "paired":
        places = [place for place in places if _tail(line.text, place)]

    def is_elsewhere(place: int) -> bool:
        named = [span for span in line.words if span[1] > place]
        return any(definitions.are_elsewhere(line.path, line.text, span) for span in named)

    if kind == "elsewhere":
        places = [place for place in places if is_elsewhere(place)]
    if not places:
        return None
    place = chance.choice(places)
    whole, at = source.files[line.path], line.start + place
    truth, end = line.text[place:], line.start + len(line.text)
    return Hole(
        source=source.name,
        path=line.path,
        line=line.number,
        character=place,
        inside=inside,
        elsewhere=is_elsewhere(place),
        prefix=whole[:at],
        truth=truth,
        tail=_tail(line.text, place) or "" if kind == "paired" else "",
        suffix=whole[end:],
    )


def _inside(line: _Line) -> list[int]:
    """Return the columns within identifiers: behind their first character, before their last."""
    return [
        column
        for start, end in line.words
        if end - start >= _SHORTEST_NAME and not keyword.iskeyword(line.text[start:end])
        for column in range(start + 1, end)
    ]


def _in_front(line: _Line) -> list[int]:
    """Return the columns where an identifier begins, the first of the line left out."""
    indent = len(line.text) - len(line.text.lstrip())
    return [start for start, _ in line.words if start > indent]


def _is_fair(rest: str) -> bool:
    return 2 <= len(rest.rstrip()) <= _LONGEST


def _tail(line: str, place: int) -> str | None:
    """
    Return the brackets that are open at `place` and closed behind it, as an editor closed them.

    None where there is none, or one of them is closed only on a later line.
    """
    opened = list[str]()
    for character in line[:place]:
        if character in _PAIRS:
            opened.append(_PAIRS[character])
        elif opened and character == opened[-1]:
            opened.pop()
    tail = "".join(reversed(opened))
    left, depth = list(tail), 0
    for character in line[place:]:
        if character in _PAIRS:
            depth += 1
        elif character in _PAIRS.values():
            if depth:
                depth -= 1
            elif left and left[0] == character:
                left.pop(0)
    return tail if tail and not left else None


def _lines(path: str, text: str) -> Iterator[_Line]:
    """Yield the lines that hold code and nothing but code; none of Python that does not parse."""
    spans = _python_words(text) if path.endswith(".py") else None
    start = 0
    for number, line in enumerate(re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)):
        bare = line.rstrip("\r\n")
        if spans is not None:
            words = tuple(spans.get(number, ()))
        elif _COMMENT.match(bare):
            words = ()
        else:
            words = tuple(match.span() for match in _IDENTIFIER.finditer(bare))
        if words and len(bare) <= 2 * _LONGEST:
            yield _Line(path, number, bare, start, words)
        start += len(line)


def _python_words(text: str) -> dict[int, list[tuple[int, int]]]:
    """Return the spans of names by line, without the lines that have a comment or a docstring."""
    spans, left_out = defaultdict[int, list[tuple[int, int]]](list), set[int]()
    if not parses(text) or _LONE_RETURN.search(text):  # there the numbers of lines would differ
        return {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if token.type == tokenize.NAME:
            spans[row - 1].append((column, token.end[1]))
        elif token.type == tokenize.COMMENT or token.start[0] != token.end[0]:
            left_out.update(range(row - 1, token.end[0]))
    return {row: words for row, words in spans.items() if row not in left_out}
