"""
Cases of suggestions in plain text, one file per theme, and what reads them.

    ## what is expected, as a sentence
    # Why: the complaint that it comes from.
    python                          the language, and perhaps crlf, truncated, lines=multi
    | print(‸)                      the document, ‸ is the cursor
    model
    | "a", name)                    what the model writes; the stream is closed at ✂, if it is there
    |✂
    shown for )                     what is shown, and what of the line it replaces; or: nothing
    | "a", name)

A line of text is what follows `| `. → is a tab, ␣ a blank, \\u202e the character of that number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opencoder_lsp.prompt.completion import Lines, Place

FOLDER = Path(__file__).parent
_CASE = re.compile(
    r"## (?P<name>.+)\n(?:#.*\n)*(?P<language>\w+)(?P<options>.*)\n(?P<document>(?:\|.*\n)+)"
    r"model\n(?P<model>(?:\|.*\n)+)"
    r"(?:nothing|shown(?: for (?P<replaced>.+))?)\n(?P<shown>(?:\|.*\n)*)"
)
_MODES: dict[str, Lines] = {"single": "single", "multi": "multi"}


@dataclass(frozen=True)
class Case:
    """One case; `closed` is how much of `model` is read, None where that is left open."""

    name: str
    place: Place
    model: str
    truncated: bool
    closed: int | None
    shown: str | None
    replaced: str

    @property
    def document(self) -> str:
        """The text before anything is accepted."""
        return self.place.prefix + self.place.suffix


def cases() -> Iterator[Case]:
    """Read every case of every file."""
    for path in sorted(FOLDER.glob("*.txt")):
        _, *parts = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for part in parts:
            match = _CASE.fullmatch(part.rstrip("\n") + "\n")
            assert match, f"{path.name}: {part}"
            yield _case(path.stem, match)


def _case(theme: str, match: re.Match[str]) -> Case:
    options = match["options"].split()
    prefix, suffix = _text(match["document"]).split("‸")
    if "crlf" in options:
        prefix, suffix = prefix.replace("\n", "\r\n"), suffix.replace("\n", "\r\n")
    mode: Lines = "auto"
    for one in options:
        mode = _MODES.get(one.removeprefix("lines="), mode)
    read, mark, more = _text(match["model"]).partition("✂")
    return Case(
        f"{theme}: {match['name']}",
        Place("file", match["language"], prefix, suffix, mode),
        read + more,
        "truncated" in options,
        len(read) if mark else None,
        _text(match["shown"]) if match["shown"] else None,
        match["replaced"] or "",
    )


def _text(block: str) -> str:
    lines = [line[2:] if line[1:2] == " " else line[1:] for line in block.splitlines()]
    text = "\n".join(lines).replace("→", "\t").replace("␣", " ")
    return re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), text)
