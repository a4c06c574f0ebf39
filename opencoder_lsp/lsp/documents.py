"""
Open documents and LSP's position arithmetic, which pygls gets wrong where it matters.

* A line ends at `\\n`, `\\r\\n` or `\\r` and nowhere else (LSP 3.18, "Text Documents"); Python's
  `splitlines` also cuts at form feeds, U+2028 and others.
* A position past the end of a line means the end of that line, before its line break; one past the
  last line means the end of the text. One inside a character is rounded up. A reversed range is
  swapped.
* A lone surrogate becomes U+FFFD on the way in, which is as long in each of the three encodings,
  so text from here can always be encoded and the editor's positions stay right.
* Nothing is ever read from disk: what the editor did not open does not exist.

A document is a list of lines: an edit costs the lines it touches and one move of the list's tail.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lsprotocol import types

log = logging.getLogger(__name__)

Encoding = Literal["utf-8", "utf-16", "utf-32"]
Change = types.TextDocumentContentChangeEvent

OUT_OF_STEP = "the document is out of step with the editor; close it and open it again"
_LINE_BREAK = re.compile(r"\r\n?|\n")
_SURROGATE = re.compile("[\ud800-\udfff]")
# How many bytes a unit of `character` has in the codec that stands for the encoding.
_CODECS: dict[Encoding, tuple[str, int]] = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2)}


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in a document: line number and index of a code point in that line."""

    line: int
    index: int


class Document:
    """
    The text of one open document, as the editor has it.

    `version` is the editor's, `size` is in characters, `edits` counts the changes since it was
    opened, and `edited` is where the latest ends. `in_sync` is False once a change had to be
    refused: the text is then not the user's.
    """

    def __init__(
        self, uri: str, language: str, version: int, text: str, encoding: Encoding = "utf-16"
    ) -> None:
        self.uri = uri
        self.language = clean(language)
        self.version = version
        self.in_sync = True
        self.edits = 0
        self.edited = Spot(0, 0)
        self._encoding = encoding
        self._replace(text)

    @property
    def text(self) -> str:
        """The whole text, line breaks as in the file."""
        return "".join(self._lines)

    @property
    def line_count(self) -> int:
        """Number of lines, at least 1: after a final line break there is one more, empty."""
        return len(self._lines)

    def line(self, number: int) -> str:
        """One line without its line break."""
        return self._lines[number].rstrip("\r\n")

    def apply(self, changes: Sequence[Change]) -> None:
        """Apply an editor's changes, each to the text that the one before it left."""
        self.edits += len(changes)
        for change in changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                start, end = sorted((self.spot(change.range.start), self.spot(change.range.end)))
                text = clean(change.text)
                self._splice(start, end, text)
                self.edited = self.nearest(_behind(start, text))
            else:
                self._replace(change.text)
                self.in_sync = True

    def spot(self, position: types.Position) -> Spot:
        """Return the place that an editor's position means, inside the text whatever it says."""
        if position.line >= len(self._lines):
            last = len(self._lines) - 1
            return Spot(last, len(self._lines[last]))
        line = self.line(position.line)
        return Spot(position.line, index_of(line, position.character, self._encoding))

    def nearest(self, spot: Spot) -> Spot:
        """Return a place that was in an older text, or one near it that is in this one."""
        line = min(spot.line, len(self._lines) - 1)
        return Spot(line, min(spot.index, len(self.line(line))))

    def position(self, spot: Spot) -> types.Position:
        """Return a place as the editor counts."""
        line = self._lines[spot.line]
        return types.Position(spot.line, column_of(line, spot.index, self._encoding))

    def split(self, spot: Spot) -> tuple[str, str]:
        """Return all text left and all text right of a place."""
        line = self._lines[spot.line]
        left = "".join(self._lines[: spot.line]) + line[: spot.index]
        right = line[spot.index :] + "".join(self._lines[spot.line + 1 :])
        return left, right

    def slice(self, start: Spot, end: Spot) -> str:
        """Return the text between two places; `start` must not come after `end`."""
        if start.line == end.line:
            return self._lines[start.line][start.index : end.index]
        between = self._lines[start.line + 1 : end.line]
        first, last = self._lines[start.line], self._lines[end.line]
        return "".join([first[start.index :], *between, last[: end.index]])

    def _replace(self, text: str) -> None:
        text = clean(text)
        self.size = len(text)
        self._lines = split_lines(text)

    def _splice(self, start: Spot, end: Spot, text: str) -> None:
        first = start.line
        head = self._lines[first][: start.index]
        tail = self._lines[end.line][end.index :]
        if not head and first and self._lines[first - 1].endswith("\r"):
            first -= 1  # a line feed that comes to stand here makes one line break with that
            head = self._lines[first]
        changed = head + text + tail
        lines = split_lines(changed)
        if end.line + 1 < len(self._lines):
            lines.pop()  # `tail` ends in a line break, so this is empty
        self.size += len(changed) - sum(map(len, self._lines[first : end.line + 1]))
        self._lines[first : end.line + 1] = lines


class Documents:
    """Every open document. What an editor gets wrong is logged once and never shown."""

    def __init__(self, encoding: Encoding = "utf-16") -> None:
        self.encoding = encoding
        self._documents: dict[str, Document] = {}

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents.values())

    def get(self, uri: str) -> Document | None:
        """Return an open document, or None for any other URI."""
        return self._documents.get(uri)

    def open(self, item: types.TextDocumentItem) -> Document:
        """Open a document; one that is open already is replaced."""
        if item.uri in self._documents:
            log.warning("a document was opened twice; the newer text counts")
        document = Document(item.uri, item.language_id, item.version, item.text, self.encoding)
        self._documents[item.uri] = document
        return document

    def change(
        self, identifier: types.VersionedTextDocumentIdentifier, changes: Sequence[Change]
    ) -> Document | None:
        """
        Change a document and return it, or None where nothing was changed.

        That is so for a document that is not open, and for a version older than the one here: its
        changes belong to a text that is gone, so from then on the document is out of sync until
        the editor sends its whole text.
        """
        document = self._documents.get(identifier.uri)
        if document is None:
            log.warning("a change of a document that is not open was dropped")
            return None
        if identifier.version < document.version:
            log.warning("a change of an older version was dropped")
            document.in_sync = False
            return None
        document.apply(changes)
        document.version = identifier.version
        return document

    def lose(self, params: object) -> None:
        """Note that a change, as it came, could not be read: that document's text is not known."""
        try:
            document = self._documents.get(params["textDocument"]["uri"])  # type: ignore[index]
        except (TypeError, LookupError):
            return
        if document is not None:
            document.in_sync = False

    def lose_all(self) -> None:
        """Note that a change was lost, and that it is not known which document it was for."""
        for document in self:
            document.in_sync = False

    def close(self, uri: str) -> bool:
        """Forget a document and say whether it was open."""
        if self._documents.pop(uri, None) is None:
            log.warning("a document that is not open was closed")
            return False
        return True


def split_lines(text: str) -> list[str]:
    """Cut a text into lines with their line breaks; the last has none and may be empty."""
    if "\r" not in text:
        lines = [line + "\n" for line in text.split("\n")]
        lines[-1] = lines[-1][:-1]
        return lines
    ends = [match.end() for match in _LINE_BREAK.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _behind(start: Spot, text: str) -> Spot:
    """Return the place behind a text that begins at another."""
    *above, last = split_lines(text)
    if not above:
        return Spot(start.line, start.index + len(last))
    return Spot(start.line + len(above), len(last))


def clean(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and no encoding can, by U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def index_of(line: str, character: int, encoding: Encoding) -> int:
    """Return the index of the code point that a `character` of LSP means, rounded up."""
    if encoding == "utf-32" or line.isascii():
        return min(character, len(line))
    codec, width = _CODECS[encoding]
    cut = line[:character].encode(codec)[: character * width]
    whole = cut.decode(codec, "ignore")  # without a character that the cut goes through
    return len(whole) + (len(whole.encode(codec)) < len(cut))


def column_of(line: str, index: int, encoding: Encoding) -> int:
    """Return the `character` of LSP for the index of a code point."""
    if encoding == "utf-32" or line.isascii():
        return min(index, len(line))
    codec, width = _CODECS[encoding]
    return len(line[:index].encode(codec)) // width
