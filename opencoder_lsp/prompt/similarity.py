"""Which part of another text is most like the code around the cursor."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

CHUNK = 20  # lines
_STEP = 10
_AROUND = 30  # lines left and right of the cursor that count
_LEAST = 0.1  # a chunk less alike than this is not worth its tokens
_MOST_LINES = 3_000
_LONGEST_LINE = 400  # characters that are looked at
_WORD = re.compile(r"[^\W\d]\w+")
# Words that nearly every chunk of nearly every language has.
_COMMON = frozenset(
    _WORD.findall(
        "and as async await bool break case class const continue def default do elif else enum "
        "export extends false final finally fn for from func function if implements import in int "
        "interface is let match mut new nil none not null or package pass private protected pub "
        "public raise return self static str string struct super switch this throw true try type "
        "use var void while with yield False None True"
    )
)


def words(text: str) -> frozenset[str]:
    """Return the words of a text that say what it is about."""
    return frozenset(_WORD.findall(text)) - _COMMON


def near(prefix: str, suffix: str, lines: int = _AROUND) -> str:
    """Return the lines around a cursor, of very long ones only what is next to it."""
    reach = lines * _LONGEST_LINE
    before = prefix[-reach:].split("\n")[-lines:]
    after = suffix[:reach].split("\n")[:lines]
    return "\n".join(before) + "\n".join(after)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of a text: the number of the first, what they are, and their words."""

    first: int
    text: str
    words: frozenset[str]


def chunks(text: str) -> tuple[Chunk, ...]:
    """Cut a text into overlapping chunks of whole lines."""
    lines = [line[:_LONGEST_LINE] for line in text.splitlines()[:_MOST_LINES]]
    last = max(1, len(lines) - _STEP)
    return tuple(_chunk(lines, first) for first in range(0, last, _STEP))


def _chunk(lines: Sequence[str], first: int) -> Chunk:
    text = "".join(f"{line}\n" for line in lines[first : first + CHUNK])
    return Chunk(first, text, words(text))


def most_similar(around: frozenset[str], among: Sequence[Chunk]) -> tuple[float, Chunk] | None:
    """Return the chunk most like `around` (Jaccard's index) and how much; None for too little."""
    best: tuple[float, Chunk] | None = None
    for chunk in among:
        both = len(around & chunk.words)
        score = both / (len(around) + len(chunk.words) - both) if both else 0.0
        if score >= _LEAST and (best is None or score > best[0]):
            best = score, chunk
    return best
