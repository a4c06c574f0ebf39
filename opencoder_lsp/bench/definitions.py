"""Which names of a Python file another file of the same source defines."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from opencoder_lsp.bench.sources import Source
from opencoder_lsp.prompt.python_parser import parse

_OWNER = re.compile(r"([^\W\d]\w*)\.\Z")


class Definitions:
    """What the Python files of a source define at their top, and what each of them imports."""

    def __init__(self, source: Source) -> None:
        self._defined = defaultdict[str, set[str]](set)
        self._imported: dict[str, set[str]] = {}
        for path, text in source.files.items():
            if not path.endswith(".py") or not parses(text):
                continue
            tree = parse(text)
            self._imported[path] = set(_imported(tree))
            for name in _defined(tree):
                self._defined[name].add(path)

    def are_elsewhere(self, path: str, line: str, span: tuple[int, int]) -> bool:
        """
        Whether the name at `span` of a line of the file at `path` is defined in another file.

        It is imported by that file, or an attribute of something that is.
        """
        name = line[span[0] : span[1]]
        owner = _OWNER.search(line, 0, span[0])
        imported = self._imported.get(path, set())
        files = self._defined.get(name, set())
        return bool(files - {path}) and (owner[1] if owner else name) in imported


def _imported(tree: ast.Module) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _defined(tree: ast.Module) -> Iterable[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


@lru_cache(maxsize=64)
def parses(text: str) -> bool:
    """Whether a text is a Python module, by Python's own parser."""
    try:
        parse(text)
    except SyntaxError:
        return False
    return True
