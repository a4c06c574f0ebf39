"""The imports of a file that a piece of its code needs, in any language, by their look."""

import re
from collections.abc import Iterator, Sequence

_MOST = 40  # statements
_LONGEST = 60  # lines of one
_IMPORT = re.compile(
    r"\s*(?:import\b|from\s+[\w.]+\s+import\b|#\s*(?:include|import)\b"
    r"|(?:use|using|include)\s.*[;{(]\s*\Z|(?:require|require_relative|library)\b\s*[('\"]"
    r"|(?:const|let|var|local)\s[^=]*=\s*require\b)"
)
_SYNTAX = frozenset(
    ("import", "from", "as", "using", "use", "require", "include", "const", "let", "var")
    + ("local", "type", "static", "self", "crate", "super", "std", "mod", "pub")
)


def import_statements(text: str, code: str) -> str:
    """
    Return those of the file `text`, each on lines of its own, that name something in `code`.

    An `#include` does not say what it brings and always counts. What `code` itself holds does not.
    """
    used = set(re.findall(r"\w+", code))
    shown = []
    for statement in _statements(re.split(r"\r\n?|\n", text)):
        names = set(re.findall(r"\w+", statement)) - _SYNTAX
        if (names & used or "#" in statement[:1]) and statement not in code:
            shown.append(statement)
    return "\n".join(dict.fromkeys(shown[:_MOST]))


def _statements(lines: Sequence[str]) -> Iterator[str]:
    """Yield what begins like an import, each up to where its brackets are closed."""
    number = 0
    while number < len(lines):
        end = number + 1
        if _IMPORT.match(lines[number]):
            while end < min(len(lines), number + _LONGEST) and _is_open(lines[number:end]):
                end += 1
            yield "\n".join(lines[number:end]).strip()
        number = end


def _is_open(lines: Sequence[str]) -> bool:
    text = "".join(lines)
    return len(re.findall(r"[({\[]", text)) > len(re.findall(r"[)}\]]", text))
