"""Markdown drawn on a terminal while it comes."""

import re

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from opencoder_lsp.markdown import Fences

# All control characters but line ends and tabs.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return a text without what would make a terminal do something."""
    return _CONTROLS.sub("", text)


class MarkdownStream:
    """
    Draws a text as it grows: blocks that are complete for good, the last one again and again.

    To be used as a context; it shows everything that was added when it ends, however it ends.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rest = ""
        self._live = Live(console=console, refresh_per_second=12, get_renderable=self._drawn)

    def __enter__(self) -> "MarkdownStream":
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def add(self, text: str) -> None:
        """Draw some more text."""
        complete, self._rest = split(self._rest + printable(text))
        if complete.strip():
            self._console.print(Markdown(complete))
            self._console.print()

    def _drawn(self) -> Markdown:
        return Markdown(self._rest)


def split(text: str) -> tuple[str, str]:
    """
    Cut a text behind its last complete blocks.

    A block is complete where a blank line follows outside of code fences, and then a line that is
    not indented, which would go on with a list.
    """
    fences, end, blank, place = Fences(), 0, False, 0
    for line in text.splitlines(keepends=True):
        if blank and not fences.open and line.strip() and not line[0].isspace():
            end = place
        if not line.endswith("\n"):
            break
        fences.line(line.rstrip("\n"))
        blank = not line.strip()
        place += len(line)
    return text[:end], text[end:]
