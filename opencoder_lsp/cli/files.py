"""Source files as an editor reads them."""

import re
from pathlib import Path

from opencoder_lsp.errors import OpencoderError

# The line ends of LSP.
LINE_END = re.compile(r"\r\n|\n|\r")
LANGUAGES = {
    ".c": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cs": "csharp",
    ".css": "css",
    ".go": "go",
    ".h": "c",
    ".hpp": "cpp",
    ".html": "html",
    ".java": "java",
    ".js": "javascript",
    ".json": "json",
    ".jsx": "javascriptreact",
    ".kt": "kotlin",
    ".lua": "lua",
    ".md": "markdown",
    ".php": "php",
    ".py": "python",
    ".rb": "ruby",
    ".rs": "rust",
    ".sh": "shellscript",
    ".sql": "sql",
    ".swift": "swift",
    ".toml": "toml",
    ".ts": "typescript",
    ".tsx": "typescriptreact",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def document_uri(path: Path) -> str:
    """Return the `file:` URI of a document."""
    return path.absolute().as_uri()


def language_of(path: Path) -> str:
    """Return the LSP language id of a file name, as an editor would choose it."""
    return LANGUAGES.get(path.suffix.lower(), "plaintext")


def read_source(path: Path) -> str:
    """Read a source file as an editor would; OpencoderError where it is not text."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise OpencoderError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OpencoderError(f"{path} is not UTF-8 text") from error
