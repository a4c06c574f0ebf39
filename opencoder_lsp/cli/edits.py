"""Edits of the language server, made to files on disk."""

import difflib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from opencoder_lsp.cli.files import read_source
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.lsp.documents import Document

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What a file is to become; `old` is None for a new one."""

    path: Path
    old: str | None
    new: str

    def diff(self) -> str:
        """Return a unified diff that `patch` and `git apply` take."""
        name = self.path.as_posix().lstrip("/")
        before = "/dev/null" if self.old is None else f"a/{name}"
        pieces = difflib.unified_diff(
            _LINE.findall(self.old or ""), _LINE.findall(self.new), before, f"b/{name}"
        )
        ended = (
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in pieces
        )
        return "".join(ended)

    def write(self) -> None:
        """
        Write the file, whole or not at all.

        Raises OpencoderError where it is not any more what it was, or cannot be written.
        """
        try:
            if self.old is None:
                self._create()
            else:
                self._replace(self.path.resolve())
        except OSError as error:
            raise OpencoderError(f"cannot write {self.path}: {error.strerror}") from error

    def _create(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.path.open("x", encoding="utf-8", newline="") as file:
                file.write(self.new)
        except FileExistsError:
            raise OpencoderError(f"{self.path} is there meanwhile; it is left as it is") from None

    def _replace(self, path: Path) -> None:
        mode = path.stat().st_mode
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(self.new)
                file.flush()
                os.fsync(descriptor)
            os.chmod(name, mode & 0o7777)
            if read_source(path) != self.old:
                raise OpencoderError(f"{self.path} has changed meanwhile; it is left as it is")
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


def file_edit(edit: dict[str, Any], path: Path, text: str) -> FileEdit:
    """Read a WorkspaceEdit as the server makes it for us: of this file, or of one new file."""
    changes = edit["documentChanges"]
    if changes[0].get("kind") == "create":
        new = Path(unquote(urlsplit(changes[0]["uri"]).path))
        here = Path.cwd()
        shown = new.relative_to(here) if new.is_relative_to(here) else new
        return FileEdit(shown, None, changes[1]["edits"][0]["newText"])
    document = Document("", "", 0, text, "utf-32")  # as the session asks for
    # The ranges are all of the text as it was, and none overlap: the last one goes first.
    parts = [_change(part) for change in changes for part in change["edits"]]
    for part in sorted(parts, key=lambda part: part.range.start.line, reverse=True):
        document.apply([part])
    return FileEdit(path, text, document.text)


def _change(edit: dict[str, Any]) -> types.TextDocumentContentChangePartial:
    start, end = (types.Position(**edit["range"][side]) for side in ("start", "end"))
    return types.TextDocumentContentChangePartial(types.Range(start, end), edit["newText"])
