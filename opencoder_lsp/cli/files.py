"""Source files as an editor reads them."""

import re
from pathlib import Path

from opencoder_lsp.errors import OpencoderError
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
