"""Code of the model in the place of lines of a document: indented as these were, and checked."""

import re
import textwrap

from opencoder_lsp.lsp.cursor import TAB, Cursor, blanks, indent
from opencoder_lsp.lsp.documents import Document
from opencoder_lsp.lsp.indentation import unit_of
from opencoder_lsp.lsp.parsing import syntax_fault
from opencoder_lsp.lsp.selection import Lines, behind
from opencoder_lsp.lsp.syntax import read, syntax_of
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.outline import outline

_LARGEST = 200_000  # characters that are parsed; meanwhile nothing else runs in the server
_LINE_BREAK = re.compile(r"\r\n?|\n")


def line_end(document: Document) -> str:
    """Return the line end that a document has, the first of them."""
    match = _LINE_BREAK.search(document.text)
    return match[0] if match else "\n"


def dedented(lines: Lines) -> str:
    """Return lines as they are shown to a model: with plain line ends, and from the margin on."""
    return textwrap.dedent(plain(lines.text))


def plain(text: str) -> str:
    """Return a text with LF for line ends."""
    return _LINE_BREAK.sub("\n", text)


def fitted(code: str, document: Document, lines: Lines) -> str:
    """Return code as it would replace lines: with their indentation, its unit, and line ends."""
    old = _LINE_BREAK.split(lines.text)
    new = [line if line.strip() else "" for line in code.strip("\n").rstrip().split("\n")]
    left, right = document.split(lines.start)
    place = Place("", document.language, left, right)
    unit = unit_of(Cursor.of(place))
    new = _first_restored(new, old[0], unit, document.language)
    own = unit_of(Cursor.of(Place("", document.language, "", "\n".join(["", *new]))))
    if unit and own and unit != own:
        new = [_converted(line, own, unit) for line in new]
    new = _shifted(new, blanks(old[0]), unit)
    # What begins further left than the rest, such as text in a string, was not moved to be sent.
    margin = {line.strip(): line for line in old if line.strip() and indent(line) < indent(old[0])}
    new = [margin.get(line.strip(), line) for line in new]
    ending = "" if lines.text == lines.text.rstrip("\r\n") else line_end(document)
    return line_end(document).join(new) + ending


def objection(code: str, document: Document, lines: Lines) -> str:
    """
    Return why code may not replace lines; "" where it may.

    That is where only a part of a definition is there, as of a model that answers with what it
    changed, and where a document in Python parses and would not any more.
    """
    if _begins_definition(dedented(lines), document.language) and not outline(
        code, document.language
    ):
        return "the model wrote only a part of the code anew"
    if document.language != "python" or document.size > _LARGEST:
        return ""
    left, right = document.split(lines.start)[0], document.split(behind(document, lines.last))[1]
    new = left + fitted(code, document, lines) + right
    if syntax_fault(new) is None or syntax_fault(document.text) is not None:
        return ""
    return "the file parses now, and would not with the model's code"


def _begins_definition(code: str, language: str) -> bool:
    return any(scope.first == 0 for scope in outline(code, language))


def _first_restored(new: list[str], old: str, unit: str | None, language: str) -> list[str]:
    """Return the lines with the blanks that only the first of them lacks."""
    below = next((line for line in new[1:] if line.strip()), None)
    if below is None or blanks(new[0]) or not blanks(old):
        return new
    opens = new[0].rstrip().endswith((":", "{"))
    expected = indent(old) + (indent(unit or "    ") if opens else 0)
    continued = not opens and read(new[0], syntax_of(language)).brackets
    if indent(below) != expected or continued:
        return new
    return [blanks(old) + new[0], *new[1:]]


def _converted(line: str, own: str, unit: str) -> str:
    """Return a line with each level that it is indented by made one of the file's."""
    levels, rest = divmod(indent(line), indent(own))
    return unit * levels + " " * rest + line.lstrip(" \t") if line else line


def _shifted(new: list[str], wanted: str, unit: str | None) -> list[str]:
    """Return the lines moved so that the first of them begins with the blanks `wanted`."""
    given = blanks(new[0])
    shift = indent(wanted) - indent(given)
    result = []
    for line in new:
        if line.startswith(given):
            line = wanted + line[len(given) :] if line else line
        else:
            columns = max(0, indent(line) + shift)
            tabs, rest = divmod(columns, TAB) if unit == "\t" else (0, columns)
            line = "\t" * tabs + " " * rest + line.lstrip(" \t")
        result.append(line if line.strip() else "")
    return result
