"""Source files as an editor reads them."""

import re
from pathlib import Path
from typing import Any

from opencoder_lsp.errors import OpencoderError, SettingsError
from opencoder_lsp.prompt import languages

# The line ends of LSP.
LINE_END = re.compile(r"\r\n|\n|\r")


def document_uri(path: Path) -> str:
    """Return the `file:` URI of a document."""
    return path.absolute().as_uri()


def language_of(path: Path) -> str:
    """Return the LSP language id of a file name, as an editor would choose it."""
    return languages.language_of(path.name)


def read_source(path: Path) -> str:
    """Read a source file as an editor would; OpencoderError where it is not text."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise OpencoderError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OpencoderError(f"{path} is not UTF-8 text") from error


def attachment(text: str) -> dict[str, Any]:
    """
    Read `FILE`, `FILE:LINE` or `FILE:FIRST-LAST` and return it as `opencoder.chat` takes it.

    Lines count from 1, both included. Raises SettingsError (wrong usage) where it is not that.
    """
    match = re.fullmatch(r"(.+):(\d{1,9})(?:-(\d{1,9}))?", text)
    if match is None or Path(text).exists():
        return {"uri": document_uri(Path(text))}
    first, last = int(match[2]), int(match[3] or match[2])
    if not 0 < first <= last:
        raise SettingsError(f"a part of a file is FILE:FIRST-LAST, counted from 1, not {text!r}")
    start, end = {"line": first - 1, "character": 0}, {"line": last, "character": 0}
    return {"uri": document_uri(Path(match[1])), "range": {"start": start, "end": end}}
