"""
The functions and classes of a file, and where they begin and end.

Python is parsed. What does not parse, and every other language, is told by its look: a definition
is a line that reads like one, and it ends where the lines that are indented deeper do. That is how
code is laid out in nearly all languages, whatever its strings and comments hold.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from opencoder_lsp.prompt.python_parser import parse

_LARGEST = 100_000  # characters that are parsed; meanwhile nothing else runs in the process
_MOST = 2_000  # definitions of a file
_LONGEST_LINE = 400  # characters of a line that may begin a definition
_LONGEST_HEADER = 20  # lines
_TAB = 4  # columns
_LINE_END = re.compile(r"\r\n?|\n")
_NO_CODE = frozenset(
    ("", "plaintext", "markdown", "json", "jsonc", "yaml", "toml", "ini", "xml", "svg")
    + ("html", "css", "scss", "less", "diff", "log", "latex", "tex", "bibtex", "csv", "sql")
)
_PYTHON = re.compile(r"\s*(?:async\s+)?(?P<word>def|class)\s+(?P<name>\w+)")
_WORDS = re.compile(
    r"\s*(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract"
    r"|sealed|partial|open|data|async|suspend|override|virtual|inline|extern|unsafe|const|local"
    r"|pub(?:\([\w: ]*\))?)\s+)*"
    r"(?P<word>function\b\s*\*?|class|interface|struct|enum|trait|impl|fn|func|fun|def|module"
    r"|object|namespace|record|protocol|extension|type(?=\s+\w+\s+(?:struct|interface)\b))"
    r"\s*(?:<[^>]*>\s*)?(?:\([^)]*\)\s*)?(?<=[\s>)*])(?P<name>[A-Za-z_$][\w$.:]*)"
)
_ARROW = re.compile(
    r"\s*(?:export\s+)?(?:default\s+)?(?:const|let|var)\s+(?P<name>[\w$]+)\s*(?::[^=]+)?=\s*"
    r"(?:async\b\s*)?(?:function\b|\([^)]*\)\s*(?::[^=]+)?=>|[\w$]+\s*=>)"
)
_CALLABLE = re.compile(r"\s*(?:[^\s(){};=]+\s+)*?[*&]*(?P<name>[\w$~:]+)\s*\([^;]*\)[^;=()]*\{?\s*")
_CONTROL = frozenset(
    ("if", "else", "for", "foreach", "while", "do", "switch", "catch", "return", "try", "with")
    + ("using", "lock", "synchronized", "match", "unless", "until", "elif", "new", "throw", "case")
)
_FUNCTIONS = frozenset(("function", "fn", "func", "fun", "def"))
# Lines no deeper than a definition that do not end it, and those that do but belong to it.
_GOES_ON = re.compile(
    r"\s*(?:\{|[)\]].*[{:]\s*\Z|(?:public|protected|private)\b.*:\s*\Z|#\s*(?:if|el|end|def))"
)
_CLOSES = re.compile(r"\s*(?:[})\]]|end\b)")


@dataclass(frozen=True, slots=True)
class Scope:
    """
    A function or class: line numbers from 0, the last one included.

    `first` is its first decorator's line, `line` that of its own first word; `header` is the text
    from there to where its body begins, without a final line end.
    """

    kind: Literal["function", "class"]
    name: str
    first: int
    line: int
    last: int
    header: str

    def holds(self, first: int, last: int) -> bool:
        """Whether these lines are all within it."""
        return self.first <= first and last <= self.last


def outline(text: str, language: str) -> list[Scope]:
    """Return what a file defines, in order, what is outside before what is in it."""
    language = language.lower()
    if language in _NO_CODE:
        return []
    lines = _LINE_END.split(text)
    if language != "python":
        return _by_look(lines, language)
    if len(text) <= _LARGEST:
        try:
            found = _parsed(parse(text), lines)
        except SyntaxError:
            return _by_look(lines, language)
        return sorted(found, key=lambda scope: (scope.first, -scope.last))
    return _by_look(lines, language)


def enclosing(scopes: Sequence[Scope], first: int, last: int) -> list[Scope]:
    """Return the scopes that some lines are in, or are, the outermost first."""
    return [scope for scope in scopes if scope.holds(first, last)]


def _parsed(tree: ast.Module, lines: Sequence[str]) -> Iterator[Scope]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        line = node.lineno - 1
        body = max(line + 1, first_line(node.body[0]))
        yield Scope(
            "class" if isinstance(node, ast.ClassDef) else "function",
            node.name,
            first_line(node),
            line,
            (node.end_lineno or node.lineno) - 1,
            "\n".join(lines[line : min(body, line + _LONGEST_HEADER)]),
        )


def first_line(node: ast.stmt) -> int:
    """Return the line that a statement begins on, from 0: that of its first decorator."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1


def _by_look(lines: Sequence[str], language: str) -> list[Scope]:
    found = list[Scope]()
    for number, line in enumerate(lines):
        if len(found) >= _MOST:
            break
        if match := _definition(lines, number, language):
            word = (match.groupdict().get("word") or "function").rstrip(" *")
            kind: Literal["function", "class"] = "function" if word in _FUNCTIONS else "class"
            last = _last(lines, number)
            found.append(Scope(kind, match["name"], number, number, last, line))
    return found


def _definition(lines: Sequence[str], number: int, language: str) -> re.Match[str] | None:
    line = lines[number]
    if not line.strip() or len(line) > _LONGEST_LINE:
        return None
    if language == "python":
        return _PYTHON.match(line)
    if match := _WORDS.match(line) or _ARROW.match(line):
        return match
    match = _CALLABLE.fullmatch(line)
    if match is None or match["name"] in _CONTROL or line.split()[0] in _CONTROL:
        return None
    below = lines[number + 1].lstrip() if number + 1 < len(lines) else ""
    return match if line.rstrip().endswith("{") or below.startswith("{") else None


def _last(lines: Sequence[str], number: int) -> int:
    """Return the last line of what begins on a line."""
    column, last = _indent(lines[number]), number
    for below in range(number + 1, len(lines)):
        line = lines[below]
        if not line.strip():
            continue
        if _indent(line) > column or _GOES_ON.match(line):
            last = below
        elif _CLOSES.match(line) and _indent(line) == column:
            return below
        else:
            break
    return last


def _indent(line: str) -> int:
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(_TAB))
