"""
What no suggestion should hold: lines that end it wherever they come.

* What the file goes on with anyway, whatever its blanks and final commas.
* A line or a block of lines that was there just before; a line that goes round in circles.
* Talk: where code is expected, a line of English that is neither comment nor string.
* Control tokens written as text, and characters that no code has.
"""

import re
from collections.abc import Sequence

from opencoder_lsp.lsp.cursor import Cursor, indent
from opencoder_lsp.lsp.syntax import PROSE, syntax_of
from opencoder_lsp.prompt.completion import Place

_CONTROL_TOKEN = re.compile(
    r"<\|[A-Za-z][\w ]{1,40}\|>|\[/?INST\]"
    r"|<(?:fim_(?:prefix|middle|suffix|pad)|file_sep|filename|reponame|repo_name|gh_stars"
    r"|commit_(?:before|msg|after)|empty_output|PRE|SUF|MID|EOT|unk|pad|/?s)>"
)
# Control characters, the replacement character, and what changes the direction of text: with that
# code can be made to look like other code.
_CONTROL_CHARACTER = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]"
)
_MARKUP = frozenset({"html", "xml", "xhtml", "markdown", "mdx", "vue", "svelte", "handlebars"})

_WORDLESS = re.compile(r"(?:\W|_)*(?:(?:end|fi|done|esac|endif)\W*)?")
_LONG = 16  # characters without blanks: a line as long as that is not written twice
_PERIOD = 8  # lines of the longest block that is recognized when it is repeated
_LOOP = re.compile(r"(?=.{0,40}?[^\W\d_])(?:(.{12,60}?)\1{3}|(.{3,11}?)\2{5})")
_LONGEST_LOOP = 2000  # characters of a line in which loops are looked for

_TALK = re.compile(
    r"\s*(?:[>*-]+\s|\d+\.\s|#+\s)?\s*(?:\*\*)?"
    r"(?:(?:Sure|Certainly|Of course|Here's|Let's|I'll|I've|You're)\b"
    r"|[A-Z][a-z]*,?(?: [a-z][a-z']*,?){3,})"
)
# What English can hardly do without, and what no language has for an operator.
_ENGLISH = re.compile(
    r"(?i)\b(?:the|this|these|that|an|are|of|to|you|we|it|will|can|be|should|here|code|function"
    r"|following|above|below|sure|certainly|course|i've|i'll|let's|you're)\b"
)
_CONDITION = re.compile(r" if .* else | for .* in ")
_LONGEST_TALK = 500  # characters of a line in which English is looked for


def clean(text: str, place: Place) -> tuple[str, bool]:
    """
    Return `text` up to the first thing in it that is no text, and whether there is one.

    A control token that the file itself talks of is text, as `<s>` is in HTML.
    """
    ends = [match.start() for match in _CONTROL_CHARACTER.finditer(text)][:1]
    for match in _CONTROL_TOKEN.finditer(text):
        token = match[0]
        known = token in place.prefix or token in place.suffix
        if not known and not (place.language in _MARKUP and token in ("<s>", "</s>")):
            ends.append(match.start())
            break
    return (text[: min(ends)], True) if ends else (text, False)


def circles(line: str) -> bool:
    """Return whether a line says the same again and again."""
    return _LOOP.search(line[:_LONGEST_LOOP]) is not None


def is_talk(line: str, language: str) -> bool:
    """Return whether a line, which begins in code, is English."""
    line = line[:_LONGEST_TALK]
    syntax, text = syntax_of(language), line.lstrip()
    comments = (*syntax.comments, *(begin for begin, _ in syntax.blocks))
    if language.lower() in PROSE or not comments or text.startswith(comments):
        return False
    return bool(_TALK.match(line) and _ENGLISH.search(line) and not _CONDITION.search(line))


def repeats_below(line: str, cursor: Cursor) -> bool:
    """Return whether a whole line is the one that the file goes on with."""
    if not cursor.below or not line.strip():
        return False
    below = cursor.below[0]
    if _key(line) != _key(below):
        return False
    # Blocks of different depth may well end one after the other.
    return not _WORDLESS.fullmatch(line) or indent(line) == indent(below)


class Repetition:
    """Notes line after line, blank ones left out, and tells when they begin to repeat."""

    def __init__(self, cursor: Cursor) -> None:
        self._keys = [_placed(line) for line in cursor.above[-2 * _PERIOD :]]

    def repeated(self, line: str) -> int | None:
        """
        Note a whole line; return how many of the last ones, this one included, are a copy.

        A short line or block may stand there twice: only a third one is too much.
        """
        self._keys.append(_placed(line))
        for period in range(1, _PERIOD + 1):
            block = self._block(1, period)
            if len(block) < period or self._block(2, period) != block:
                continue
            size = sum(len(key) for _, key in block if any(map(str.isalpha, key)))
            if size >= _LONG:
                return period
            if size and self._block(3, period) == block:
                return period
        return None

    def _block(self, number: int, period: int) -> Sequence[tuple[int, str]]:
        """Return the block of that many lines that is the `number`-th from the end."""
        end = len(self._keys) - (number - 1) * period
        return self._keys[max(0, end - period) : max(0, end)]


def _key(line: str) -> str:
    return "".join(line.split()).rstrip(",;")


def _placed(line: str) -> tuple[int, str]:
    return indent(line), _key(line)
