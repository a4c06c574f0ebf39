"""
Files that a message names: `@path`, with `:10` a line or with `:10-40` some lines of it.

The grammar, in full:

* An `@` counts at the start of the message and after a blank, a comma, a semicolon, an opening
  bracket or a quote: the one in `me@example.org` does not.
* The path is what follows up to the next blank, or, for one with blanks in it, what stands in
  double quotes: `@"my file.py":10-40`. It is relative to a folder of the workspace.
* Lines count from 1 and both are included. A file that is really called `a:10` comes second.
* Punctuation behind it (`see @a.py:10-40).`) is no part of it, unless a file is called so.
* What names no file of the workspace is text like any other, and nothing is said of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_MOST = 100  # references that are looked at in one message
_NUMBERS = r"(\d{1,9})(?:-(\d{1,9}))?"
_AT = re.compile(
    rf"""(?<![^\s,;(\[{{"'`])@(?:"([^"\n]{{1,4096}})"(?::{_NUMBERS})?|([^\s"]\S{{0,4095}}))"""
)
_WITH_LINES = re.compile(f"(.+):{_NUMBERS}")
_PUNCTUATION = ".,;:!?)]}>\"'`*"


@dataclass(frozen=True, slots=True)
class Reference:
    """A path as it was written, and the first and last line; None for all of the file."""

    path: str
    lines: tuple[int, int] | None = None


def references(message: str) -> Iterator[tuple[Reference, ...]]:
    """Yield for each `@` what it may mean, the likeliest first: the one that is a file counts."""
    for match in islice(_AT.finditer(message), _MOST):
        quoted, first, last, plain = match.groups()
        if quoted is not None:
            yield (_reference(quoted, first, last),)
        else:
            texts = (plain, plain.rstrip(_PUNCTUATION))
            yield tuple(dict.fromkeys(one for text in texts for one in _meanings(text)))


def _meanings(text: str) -> Iterator[Reference]:
    if match := _WITH_LINES.fullmatch(text):
        yield _reference(*match.groups())
    if text:
        yield Reference(text)


def _reference(path: str, first: str | None, last: str | None) -> Reference:
    return Reference(path, (int(first), int(last or first)) if first else None)
