"""The imports of a file, in any language, by their look: those of its head, or of some code."""

import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

_MOST = 40  # statements
_LONGEST = 60  # lines of one
_HEAD = 40_000  # characters of a file in which the imports of its head are looked for
_IMPORT = re.compile(
    r"\s*(?:import\b|from\s+[\w.]+\s+import\b|#\s*(?:include|import)\b"
    r"|(?:use|using|include)\s.*[;{(]\s*\Z|(?:require|require_relative|library)\b\s*[('\"]"
    r"|(?:const|let|var|local)\s[^=]*=\s*require\b)"
)
_RELATIVE = re.compile(
    r"from\s+\.|['\"]\.{1,2}/|#\s*(?:include|import)\s*\"|\b(?:crate|self|super)::|require_relative"
)
_FIRST = re.compile(r"\W*\w+\W+(\w+)")  # word behind the one that makes it an import
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
    for statement in map(str.strip, _statements(re.split(r"\r\n?|\n", text))):
        names = set(re.findall(r"\w+", statement)) - _SYNTAX
        if (names & used or "#" in statement[:1]) and statement not in code:
            shown.append(statement)
    return "\n".join(dict.fromkeys(shown[:_MOST]))


def imports_of_head(text: str) -> tuple[str, ...]:
    """Return what a file that begins with `text` imports there: whole statements, in order."""
    return _imports_of_head(text[:_HEAD])


@lru_cache(maxsize=16)  # it is asked at each key, and seldom has another answer
def _imports_of_head(text: str) -> tuple[str, ...]:
    statements = (
        statement.rstrip()
        for statement in _statements(re.split(r"\r\n?|\n", text))
        if not statement[:1].isspace() and "```" not in statement
    )
    return tuple(dict.fromkeys(statements))[:_MOST]


def leads_nearby(statement: str, path: str) -> bool:
    """
    Whether an import of the file at the shown `path` looks like one of its own project.

    So does a relative one, and one that begins with a folder or a file name of the path. Models
    know what languages and libraries bring along; they cannot know a project's own names.
    """
    if _RELATIVE.search(statement):
        return True
    first = _FIRST.match(statement)
    return first is not None and first[1] in re.split(r"[/\\]", os.path.splitext(path)[0])


def _statements(lines: Sequence[str]) -> Iterator[str]:
    """Yield what begins like an import, each up to where its brackets are closed."""
    number = 0
    while number < len(lines):
        end = number + 1
        if _IMPORT.match(lines[number]):
            while end < min(len(lines), number + _LONGEST) and _is_open(lines[number:end]):
                end += 1
            yield "\n".join(lines[number:end])
        number = end


def _is_open(lines: Sequence[str]) -> bool:
    text = "".join(lines)
    return len(re.findall(r"[({\[]", text)) > len(re.findall(r"[)}\]]", text))
