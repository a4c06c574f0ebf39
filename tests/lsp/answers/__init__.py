"""
Cases of answers that become edits in plain text, one file per theme, and what reads them.

    ## what is expected, as a sentence
    fix python                      the command, the language, and perhaps crlf
    | def f():
    |▸    return 1                  the document; ▸ marks the selected lines, ‸ is a cursor
    answer                          what the model says; or: answer, cut off
    | ```
    edited                          the document after the edit; or: refused: and the reason
    | def f():
    |     return 2

A line of text is what follows `| `. → is a tab. A missing last line end is ∎.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from lsprotocol import types

from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.lsp.documents import Document
from opencoder_lsp.lsp.edit_tasks import EditKind, replacement, target

FOLDER = Path(__file__).parent
_CASE = re.compile(
    r"## (?P<name>.+)\n(?:#.*\n)*(?P<kind>\w+) (?P<language>[\w+-]+)(?P<options>.*)\n"
    r"(?P<document>(?:\|.*\n)+)answer(?P<cut>, cut off)?\n(?P<answer>(?:\|.*\n)*)"
    r"(?P<end>edited|refused: .*)\n(?P<edited>(?:\|.*\n)*)"
)
_URI = "file:///project/file"


@dataclass(frozen=True)
class Case:
    """One case; `end` is "edited" or "refused: …"."""

    name: str
    kind: EditKind
    document: Document
    span: types.Range
    answer: str
    cut: bool
    end: str
    expected: str

    def outcome(self) -> tuple[str, str]:
        """Return how it ends, and the document's text then."""
        try:
            lines = target(self.document, self.kind, self.span)
            edits = replacement(self.document, self.kind, lines, self.answer, cut=self.cut)
        except OpencoderError as error:
            return f"refused: {error}", ""
        # The ranges are all of the text as it was: from the last one on they can be applied singly.
        for edit in sorted(edits, key=lambda edit: edit.range.start.line, reverse=True):
            change = types.TextDocumentContentChangePartial(edit.range, edit.new_text)
            self.document.apply([change])
        return "edited", self.document.text


def cases() -> Iterator[Case]:
    """Read every case of every file."""
    for path in sorted(FOLDER.glob("*.txt")):
        _, *parts = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for part in parts:
            match = _CASE.fullmatch(part.rstrip("\n") + "\n")
            assert match, f"{path.name}: {part}"
            yield _case(path.stem, match)


def _case(theme: str, match: re.Match[str]) -> Case:
    end = "\r\n" if "crlf" in match["options"] else "\n"
    marked = _text(match["document"])
    document = Document(
        _URI, match["language"], 1, re.sub("[▸‸]", "", marked).replace("\n", end), "utf-32"
    )
    return Case(
        f"{theme}: {match['name']}",
        cast(EditKind, match["kind"]),
        document,
        _span(marked.split("\n")),
        _text(match["answer"]).removesuffix("\n"),
        match["cut"] is not None,
        match["end"],
        _text(match["edited"]).replace("\n", end),
    )


def _span(lines: list[str]) -> types.Range:
    marked = [number for number, line in enumerate(lines) if line.startswith("▸")]
    if marked:
        last = len(lines[marked[-1]]) - 1
        return types.Range(types.Position(marked[0], 0), types.Position(marked[-1], last))
    (place,) = [
        types.Position(number, line.index("‸")) for number, line in enumerate(lines) if "‸" in line
    ]
    return types.Range(place, place)


def _text(lines: str) -> str:
    text = re.sub(r"^\|(?=▸)|^\| ?", "", lines, flags=re.MULTILINE)
    return text.replace("→", "\t").replace("∎\n", "")
