"""
The code in an answer of the model.

Of several blocks the one counts that is most like the code that was sent: a model that shows code
before and after, or how to use it, says the same names in the rewritten code most often. A block
that says again what was sent is no answer. Where the code itself holds fences, what seems to be
several blocks may be one: that reading is a candidate like the others.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from opencoder_lsp.errors import AnswerError

_FENCE = re.compile(r"(?P<blank>[ \t]*)(?P<run>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)")
_WORD = re.compile(r"\w+|[^\w\s]")
_ALIKE = 0.6  # how much like the old code an answer must be to be code without a fence

# Says why code may not be used, "" where it may.
Objection = Callable[[str], str]

NOTHING = "the model answered nothing"
NO_CODE = "the answer has no code, only words"
EMPTY = "the model's code is empty"
UNCHANGED = "the model changed nothing"
CUT_OFF = (
    "the answer was cut off before its code ended; ask about less code, or raise chat.max_tokens"
)


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences; not `closed` where the answer ends before it does."""

    code: str
    closed: bool


def rewritten(answer: str, old: str, objection: Objection, *, cut: bool) -> str:
    """
    Return the code in an answer that is to replace `old`; AnswerError where there is none.

    `cut` is whether the answer had to end before the model was done.
    """
    found = _candidates(answer, cut)
    if not found and _likeness(answer, old) >= _ALIKE:
        if cut:
            raise AnswerError(CUT_OFF)
        found = [answer]
    changed = [code for code in _not_empty(found) if not is_same(code, old)]
    if not changed:
        raise AnswerError(CUT_OFF if cut else UNCHANGED)
    return max(_fit(changed, objection), key=lambda code: _likeness(code, old))


def written(answer: str, objection: Objection, *, cut: bool) -> str:
    """Return the code of a new file in an answer: its longest block; AnswerError if none is fit."""
    whole = [block.code for block in blocks(answer)]
    found = _fit(_not_empty(_candidates(answer, cut)), objection)
    # What reaches over several blocks may hold prose between them.
    return max(found, key=lambda code: (code in whole, len(code)))


def blocks(answer: str) -> list[Block]:
    """
    Return the code blocks of an answer in Markdown, in order.

    A fence that names a language within a block opens one in the code, which the next fence ends.
    """
    found, lines, opening, depth = list[Block](), list[str](), None, 0
    for line in answer.replace("\r\n", "\n").split("\n"):
        match = _FENCE.fullmatch(line)
        if opening is None:
            if match:
                opening, lines, depth = match, [], 0
            continue
        if match and match["run"].startswith(opening["run"]):
            if not match["info"].strip() and not depth:
                found.append(Block("\n".join(lines), closed=True))
                opening = None
                continue
            depth += 1 if match["info"].strip() else -1
        lines.append(line.removeprefix(opening["blank"]))
    if opening is not None:
        found.append(Block("\n".join(lines), closed=False))
    return found


def is_same(code: str, old: str) -> bool:
    """Whether two codes differ in nothing but indentation as a whole and blanks at line ends."""
    return _plain(code) == _plain(old)


def _plain(code: str) -> list[str]:
    lines = [line.rstrip() for line in code.strip("\r\n").splitlines()]
    blank = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    return [line[blank:] for line in lines]


def _candidates(answer: str, cut: bool) -> list[str]:
    """Return what may be meant; AnswerError where the answer ends within the only block."""
    if not answer.strip():
        raise AnswerError(CUT_OFF if cut else NOTHING)
    found = blocks(answer)
    usable = [block.code for block in found if block.closed or not cut]
    if found and not usable:
        raise AnswerError(CUT_OFF)
    return [*usable, *_overall(answer, len(found))]


def _overall(answer: str, count: int) -> Iterator[str]:
    """Yield all from the first fence to the last, where there seem to be several blocks."""
    lines = answer.replace("\r\n", "\n").split("\n")
    fences = [number for number, line in enumerate(lines) if _FENCE.fullmatch(line)]
    if count > 1 and fences[-1] > fences[0]:
        yield "\n".join(lines[fences[0] + 1 : fences[-1]])


def _not_empty(found: list[str]) -> list[str]:
    if not found:
        raise AnswerError(NO_CODE)
    full = [code for code in found if code.strip()]
    if not full:
        raise AnswerError(EMPTY)
    return full


def _fit(found: Sequence[str], objection: Objection) -> list[str]:
    objections = [objection(code) for code in found]
    fit = [code for code, reason in zip(found, objections, strict=True) if not reason]
    if not fit:
        raise AnswerError(objections[0])
    return fit


def _likeness(code: str, old: str) -> float:
    """Return how many of the words and marks of two codes are the same, from 0 to 1."""
    one, other = Counter(_WORD.findall(code)), Counter(_WORD.findall(old))
    return 2 * (one & other).total() / max(1, one.total() + other.total())
