"""
A docstring of the model in a Python definition: put in, or in the place of the one that is there.

Nothing else changes: the result must parse to the same tree, docstrings aside.
"""

import ast
import re
import textwrap
from inspect import cleandoc

from opencoder_lsp.errors import AnswerError
from opencoder_lsp.lsp.code_blocks import CUT_OFF, NO_CODE, NOTHING, UNCHANGED, blocks
from opencoder_lsp.lsp.cursor import blanks
from opencoder_lsp.prompt.outline import first_line
from opencoder_lsp.prompt.python_parser import parse

_QUOTED = re.compile(r'(?s)[rRuU]?("""|\'\'\')(.*?)(?<!\\)\1')
_WIDTH = 100  # columns of a line
_FRAME = "if 1:\n"  # what code that is indented can stand in

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def docstring_in(answer: str, name: str, *, cut: bool) -> str:
    """
    Return the text of the docstring in an answer; AnswerError where there is none.

    That is the one of the definition `name` where the answer repeats it, else the first one.
    """
    if not answer.strip():
        raise AnswerError(CUT_OFF if cut else NOTHING)
    for code in [*(block.code for block in blocks(answer)), answer]:
        text = _from_code(code, name)
        if text is None and (match := _QUOTED.search(code)):
            text = _evaluated(match[0])
        if text is not None:
            if not text.strip():
                raise AnswerError("the model's docstring is empty")
            return text
    raise AnswerError(CUT_OFF if cut else NO_CODE.replace("code", "docstring"))


def documented(code: str, text: str) -> str:
    """
    Return the lines of a definition with a docstring of this text.

    `code` has LF for line ends and the indentation of its file. Raises AnswerError where it does
    not parse, or the same docstring is there.
    """
    frame = _FRAME if blanks(code) else ""
    tree = _parsed(frame + code)
    node = _definition(tree, None) if tree else None
    if tree is None or node is None:
        raise AnswerError("this definition does not parse, so there is no place for a docstring")
    old = ast.get_docstring(node)
    if old is not None and old == cleandoc(text):
        raise AnswerError(UNCHANGED)
    new = _inserted((frame + code).split("\n"), node, text, has_old=old is not None)
    after = _parsed(new)
    if after is None or _without_docstring(after) != _without_docstring(tree):
        raise AnswerError("the model's docstring does not fit in there")
    return new.removeprefix(frame)


def _inserted(lines: list[str], node: _Definition, text: str, *, has_old: bool) -> str:
    """Return the lines with the docstring in front of the body's rest, on lines of its own."""
    body, first = node.body[0], first_line(node.body[0])
    index = _index(lines[first], body.col_offset)
    header, rest = lines[first][:index], lines[first][index:]
    blank = header if not header.strip() else blanks(lines[node.lineno - 1]) + "    "
    above = [*lines[:first], *([header.rstrip()] if header.strip() else [])]
    made = [blank + line if line else "" for line in literal(text, len(blank))]
    if not has_old:
        return "\n".join([*above, *made, blank + rest, *lines[first + 1 :]])
    end = body.end_lineno or body.lineno
    made[-1] += lines[end - 1][_index(lines[end - 1], body.end_col_offset or 0) :]
    return "\n".join([*above, *made, *lines[end:]])


def _index(line: str, offset: int) -> int:
    """Return the index of a code point for the parser's offset, which counts UTF-8 bytes."""
    return len(line.encode()[:offset].decode())


def literal(text: str, column: int) -> list[str]:
    """
    Return the lines of a string literal of a docstring that begins at a column.

    Without the indentation of the place, which the first line needs, too.
    """
    opens_alone = text.lstrip(" \t").startswith("\n")
    text = cleandoc(text)
    quote, end = '"""', '"""'
    if "\\" in text and '"""' not in text and not text.endswith(('"', "\\")):
        quote = 'r"""'
    else:
        text = text.replace("\\", "\\\\")
        if '"""' in text or text.endswith('"'):
            text = text.replace('"', '\\"')
    lines = text.split("\n")
    if len(lines) == 1 and column + len(quote) + len(text) + 3 <= _WIDTH:
        return [quote + text + end]
    if opens_alone:
        return [quote, *lines, end]
    return [quote + lines[0], *lines[1:], end]


def _from_code(code: str, name: str) -> str | None:
    """Return the docstring in code: that of the definition `name`, of any, or the code itself."""
    tree = _parsed(textwrap.dedent(code))
    if tree is None:
        return None
    node = _definition(tree, name) or _definition(tree, None)
    body = node.body if node is not None else tree.body
    return _string(body)


def _string(body: list[ast.stmt]) -> str | None:
    """Return the text of the string that statements begin with."""
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        value = body[0].value.value
        return value if isinstance(value, str) else None
    return None


def _evaluated(source: str) -> str | None:
    tree = _parsed(source)
    return _string(tree.body) if tree else None


def _definition(tree: ast.Module, name: str | None) -> _Definition | None:
    """Return the first definition of this name, of any without one."""
    for node in ast.walk(tree):
        if isinstance(node, _Definition) and name in (None, node.name):
            return node
    return None


def _parsed(code: str) -> ast.Module | None:
    try:
        return parse(code)
    except SyntaxError:
        return None


def _without_docstring(tree: ast.Module) -> str:
    """Return a tree as text, without the docstring of its first definition."""
    node = _definition(tree, None)
    if node is not None and ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
    return ast.dump(tree)
