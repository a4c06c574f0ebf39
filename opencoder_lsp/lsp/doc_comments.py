"""A comment of the model above a definition, in languages that have no docstrings."""

from opencoder_lsp.errors import AnswerError
from opencoder_lsp.lsp.code_blocks import CUT_OFF, NO_CODE, NOTHING, blocks
from opencoder_lsp.lsp.syntax import Syntax, syntax_of


def comment_in(answer: str, language: str, *, cut: bool) -> list[str]:
    """
    Return the lines of the first comment in an answer, without indentation as a whole.

    Only the comment itself is taken, whatever code the model repeats below it. Raises AnswerError
    where there is none.
    """
    if not answer.strip():
        raise AnswerError(CUT_OFF if cut else NOTHING)
    syntax = syntax_of(language)
    for code in [*(block.code for block in blocks(answer)), answer]:
        lines = code.replace("\r\n", "\n").split("\n")
        found = next(
            (taken for number in range(len(lines)) if (taken := _comment(lines[number:], syntax))),
            None,
        )
        if found:
            return found
    raise AnswerError(CUT_OFF if cut else NO_CODE.replace("code", "comment"))


def _comment(lines: list[str], syntax: Syntax) -> list[str]:
    """Return the comment that lines begin with, if they do and it ends."""
    first = lines[0].lstrip()
    for begin, end in syntax.blocks:
        if first.startswith(begin):
            return _block(lines, begin, end)
    taken = list[str]()
    for line in lines:
        begins = line.strip().startswith(syntax.comments) if syntax.comments else False
        if not begins or line.startswith("#!"):
            break
        taken.append(line.strip())
    return taken


def _block(lines: list[str], begin: str, end: str) -> list[str]:
    column = len(lines[0]) - len(lines[0].lstrip())
    taken = list[str]()
    for line in lines:
        blank = len(line) - len(line.lstrip())
        taken.append(line[min(column, blank) :].rstrip())
        start = len(begin) if len(taken) == 1 else 0
        if (at := taken[-1].find(end, start)) >= 0:
            taken[-1] = taken[-1][: at + len(end)]
            return taken
    return []
