"""Python's imports and definitions, also of files that are just being written."""

import ast
import os
import re
import textwrap
from collections.abc import Iterator, Sequence

from opencoder_lsp.prompt.definitions import (
    MOST_DEFINITIONS,
    MOST_IMPORTS,
    Definition,
    Definitions,
    Import,
    definition,
)
from opencoder_lsp.prompt.python_parser import parse

_WHOLE = 8  # lines of a function that is shown as it is
_MEMBERS = 30  # lines of a class
_LONGEST_IMPORT = 60  # lines of a statement
_LARGEST = 100_000  # characters that are parsed; meanwhile nothing else runs in the process
_IMPORT = re.compile(r"\s*(?:from\s+([.\w]+)\s+import\b|import\b)(.*)")
_BLOCK = re.compile(r"(?:async\s+)?(?:def|class)\s+(\w+)")
_VALUE = re.compile(r"([A-Za-z_]\w*)\s*(?::[^=]+)?=(?!=)")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def imports(text: str) -> list[Import]:
    """Return what a file imports, wherever in it; a statement that is not finished counts, too."""
    found = list[Import]()
    for statement in _statements(text.splitlines()):
        if len(found) >= MOST_IMPORTS:
            break
        try:
            parsed = parse(textwrap.dedent(statement)).body
        except SyntaxError:
            found += _unfinished(statement)
            continue
        for node in parsed:
            if isinstance(node, ast.Import):
                found += [Import(name.name, (), name.asname or name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                names = tuple((name.name, name.asname or name.name) for name in node.names)
                found.append(Import(module, names))
    return found


def definitions(text: str) -> Definitions:
    """Return what a file defines at its top level, in order; what is broken is told by its look."""
    if len(text) > _LARGEST:
        return _by_look(text)
    try:
        tree = parse(text)
    except SyntaxError:
        return _by_look(text)
    lines = re.split(r"\r\n?|\n", text)  # as the parser counts them
    found = Definitions()
    for node in _top_level(tree.body):
        for name, made in _defined(node, lines):
            if len(found) < MOST_DEFINITIONS:
                found[name] = made
    return found


def candidates(module: str, file: str, folders: Sequence[str]) -> list[str]:
    """
    Return the paths at which a module may be that the file at the absolute path `file` imports.

    A package is its `__init__.py`. What is not relative is looked for from the file's own folder
    up to the workspace's folder that it is in, and in that and the other folders and their `src`.
    """
    stem = module.lstrip(".")
    dots = len(module) - len(stem)
    parts = stem.split(".") if stem else []
    own = os.path.dirname(file)
    if dots:
        for _ in range(dots - 1):
            own = os.path.dirname(own)
        bases = [own]
    else:
        bases = [*_upwards(own, folders), *folders]
        bases += [os.path.join(folder, "src") for folder in folders]
    paths = list[str]()
    for base in dict.fromkeys(bases):
        path = os.path.join(base, *parts)
        names = [f"{path}.py"] if parts else []
        paths += [*names, os.path.join(path, "__init__.py"), *(name + "i" for name in names)]
    return paths


def _upwards(folder: str, tops: Sequence[str]) -> Iterator[str]:
    if not any(folder == top or folder.startswith(top.rstrip("/") + "/") for top in tops):
        return
    while True:
        yield folder
        if folder in tops or folder == os.path.dirname(folder):
            return
        folder = os.path.dirname(folder)


def _statements(lines: Sequence[str]) -> Iterator[str]:
    """Yield the import statements among some lines, by their look."""
    for number, line in enumerate(lines):
        match = _IMPORT.fullmatch(line)
        if match is None:
            continue
        end = number + 1
        if "(" in match[2] and ")" not in match[2]:
            while end < min(len(lines), number + _LONGEST_IMPORT) and ")" not in lines[end - 1]:
                end += 1
        while lines[end - 1].endswith("\\") and end < min(len(lines), number + _LONGEST_IMPORT):
            end += 1
        yield "\n".join(lines[number:end])


def _unfinished(statement: str) -> list[Import]:
    """Return what the first line of a statement that cannot be parsed imports."""
    match = _IMPORT.match(statement)
    if match is None:
        return []
    words = re.findall(r"[\w.]+", match[2])
    if match[1] is None:
        return [Import(word, (), word) for word in words[:1]]
    return [Import(match[1], tuple((word, word) for word in words if word != "as"))]


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _top_level(node.body)
            for branch in (getattr(node, "orelse", []), getattr(node, "finalbody", [])):
                yield from _top_level(branch)
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)
        else:
            yield node


def _defined(node: ast.stmt, lines: Sequence[str]) -> Iterator[tuple[str, Definition]]:
    if isinstance(node, _Function):
        head = _header(node, lines)
        yield node.name, definition(_dedented(_function(node, lines)), _dedented(head))
    elif isinstance(node, ast.ClassDef):
        head = _header(node, lines)
        yield node.name, definition(_dedented(_class(node, lines)), _dedented(head))
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        shown = lines[node.lineno - 1 : node.end_lineno]
        made = definition(_dedented(shown[:_WHOLE]), _dedented(shown[:1]))
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, made


def _header(node: _Function | ast.ClassDef, lines: Sequence[str]) -> list[str]:
    """Return the lines from the decorators to the colon."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = max(node.lineno, node.body[0].lineno - 1)
    return list(lines[first - 1 : last])


def _function(node: _Function, lines: Sequence[str]) -> list[str]:
    header = _header(node, lines)
    end = node.end_lineno or node.lineno
    if end - node.lineno < _WHOLE:
        return [*header, *lines[node.lineno - 1 + _own_lines(node, header) : end]]
    indent = " " * node.body[0].col_offset
    return [*header, *_summary(node, indent), f"{indent}..."]


def _own_lines(node: _Function, header: Sequence[str]) -> int:
    """Count the lines of a header from `def` on."""
    above = [decorator.lineno for decorator in node.decorator_list]
    return len(header) - (node.lineno - min(above) if above else 0)


def _class(node: ast.ClassDef, lines: Sequence[str]) -> list[str]:
    header = _header(node, lines)
    members = _summary(node, " " * node.body[0].col_offset)
    for member in node.body:
        if isinstance(member, ast.Assign | ast.AnnAssign):
            members.append(lines[member.lineno - 1])
        elif isinstance(member, _Function):
            members += _method(member, lines)
    return [*header, *members[:_MEMBERS]]


def _method(node: _Function, lines: Sequence[str]) -> list[str]:
    *rest, last = _header(node, lines)
    if node.body[0].lineno == node.lineno:  # all of it stands on one line
        return [*rest, last]
    attributes = list[str]()
    if node.name == "__init__":
        own = [part for part in node.body if isinstance(part, ast.Assign | ast.AnnAssign)]
        attributes = [lines[part.lineno - 1] for part in own]
    return [*rest, last, *attributes] if attributes else [*rest, f"{last} ..."]


def _summary(node: _Function | ast.ClassDef, indent: str) -> list[str]:
    documentation = ast.get_docstring(node)
    if not documentation:
        return []
    first = documentation.strip().partition("\n")[0]
    return [f'{indent}"""{first}"""']


def _dedented(lines: Sequence[str]) -> list[str]:
    return textwrap.dedent("\n".join(lines)).split("\n")


def _by_look(text: str) -> Definitions:
    """Return the definitions of a file that cannot be parsed, by what begins at a line's start."""
    found = Definitions()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        block = _BLOCK.match(line)
        value = None if block else _VALUE.match(line)
        name = block[1] if block else value[1] if value else None
        if name is None or len(found) >= MOST_DEFINITIONS:
            continue
        head = [line]
        if block:
            for more in lines[number + 1 : number + _WHOLE]:
                if head[-1].rstrip().endswith(":"):
                    break
                head.append(more)
        members = _members(lines[number + len(head) :]) if line.startswith("class") else []
        found[name] = definition([*head, *members], head)
    return found


def _members(below: Sequence[str]) -> list[str]:
    """Return the first lines of what looks like the members of a class."""
    members = list[str]()
    for line in below[: 10 * _MEMBERS]:
        if line[:1].strip() or len(members) >= _MEMBERS:
            break
        if _BLOCK.match(line.strip()):
            members.append(f"{line} ..." if line.rstrip().endswith(":") else line)
        elif _VALUE.match(line.strip()) and len(line) - len(line.lstrip()) <= 4:
            members.append(line)
    return members
