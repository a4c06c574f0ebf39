"""
The prompt of a completion: the code around the cursor, within an exact token budget.

Three things keep it cheap and good while somebody types:

* What grows with each key stands last (except in `fim` with order "psm"), and the window's start
  moves in big steps, so the engine computes only the new tokens.
* Token healing: the prompt ends before the blanks, line ends and partial word left of the cursor.
  That text is the `forced_prefix`, which the engine makes the answer begin with. So no word is
  cut where the model would not, and typing inside a word changes no prompt id.
* What follows the cursor begins at the next line, unless the rest of this one holds more than
  closing punctuation: an auto-closed bracket must not change the front of the prompt.

Prompts have LF line ends, whatever the file has: so do `forced_prefix` and the answer, and the
caller gives the answer the line ends of the file.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from opencoder_lsp.errors import PromptTooLongError
from opencoder_lsp.prompt.conversation import Message, Template, encode
from opencoder_lsp.prompt.tasks import fence_for, fenced, info_string, shown_path
from opencoder_lsp.prompt.tokenizer import Tokenizer

Mode = Literal["template", "fim"]
FimOrder = Literal["psm", "spm"]
# Makes the whole prompt from the code that is to stand left of the cursor.
_Layout = Callable[[str], list[int]]

# Text farther away is not even looked at. Tokens of code have 3 to 4 characters in the mean.
_REACH = 12
# The window moves by a quarter of the budget, at this many characters for a token.
_STEP = 3
_CLOSING = re.compile(r"[\s)\]}>\"'`;:,]*")
_LONGEST_BLANKS = 64
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor: the file, and the text left and right of it, with LF or CRLF."""

    path: str
    language: str
    prefix: str
    suffix: str


@dataclass(frozen=True, slots=True)
class CompletionPrompt:
    """Ids to go on from, and the text that the answer must begin with (the caller strips it)."""

    ids: list[int]
    forced_prefix: str


def build(
    place: Place,
    tokenizer: Tokenizer,
    template: Template,
    *,
    mode: Mode,
    fim_order: FimOrder,
    limit: int,
) -> CompletionPrompt:
    """
    Return the prompt for a completion at `place`, of at most `limit` tokens.

    The answer's first tokens are those of `forced_prefix`: allow for them in `max_tokens`. Raises
    PromptTooLongError where not even the frame (the task, the code after the cursor) fits, and
    PromptError, naming it, for a control token that the vocabulary lacks.
    """
    prefix, suffix = place.prefix, place.suffix[: limit * _REACH]
    if prefix.endswith("\r") and suffix.startswith("\n"):  # within a CRLF is before it
        prefix = prefix[:-1]
    suffix = suffix.replace("\r\n", "\n")
    prefix, forced = heal(prefix)
    if mode == "fim":
        suffix = _head(_following(suffix, keep_line_end=True), tokenizer, limit // 4)
        name = shown_path(place.path) if tokenizer.has_control("<filename>") else ""

        def layout(code: str) -> list[int]:
            return fim_ids(code, suffix, tokenizer, fim_order, name)
    else:
        suffix = _head(_following(suffix, keep_line_end=False), tokenizer, limit // 4)
        fence = fence_for(prefix[-limit * _REACH :], suffix)
        task = Message("user", _task(place, suffix))
        opening = f"{fence}{info_string(place.language)}\n"

        def layout(code: str) -> list[int]:
            return encode(template, tokenizer, [task, Message("assistant", opening + code)]).ids

    return CompletionPrompt(_windowed(prefix, layout, tokenizer, limit), forced)


def fim_ids(
    prefix: str, suffix: str, tokenizer: Tokenizer, order: FimOrder, filename: str = ""
) -> list[int]:
    """
    Return the fill-in-the-middle prompt as StarCoder was trained on it.

    "psm" is `<fim_prefix> prefix <fim_suffix> suffix <fim_middle>`, "spm" is `<fim_prefix>
    <fim_suffix> suffix <fim_middle> prefix`. A file name stands within the prefix, as
    `<filename>name` and a line end. Source: bigcode-project/Megatron-LM, `permute` in
    megatron/data/gpt_dataset.py. Raises PromptError for a token that the vocabulary lacks.
    """
    start, middle, end = (
        tokenizer.control_id(f"<fim_{part}>") for part in ("prefix", "middle", "suffix")
    )
    before = tokenizer.encode(prefix)
    if filename:
        named = tokenizer.encode(f"{filename}\n{prefix}")
        before = [tokenizer.control_id("<filename>"), *named]
    after = tokenizer.encode(suffix)
    if order == "psm":
        return [start, *before, end, *after, middle]
    return [start, end, *after, middle, *before]


def heal(prefix: str) -> tuple[str, str]:
    """
    Split the text left of the cursor into what the prompt holds and what the answer begins with.

    The latter, with LF line ends, is the partial word and the blanks and line ends in front of
    it: a vocabulary of code joins a line end with the indentation that follows.
    """
    start = _run_start(prefix, len(prefix), _LONGEST_WORD, _in_word)
    if start == 0 or not _in_word(prefix[start - 1]):
        start = _run_start(prefix, start, _LONGEST_BLANKS, _is_blank)
    return prefix[:start], prefix[start:].replace("\r\n", "\n")


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_blank(character: str) -> bool:
    # Only what every vocabulary can write: SmolLM2's lacks U+001D, which `isspace` includes.
    return character in " \t\r\n"


def _run_start(text: str, end: int, longest: int, belongs: Callable[[str], bool]) -> int:
    """
    Return where the run of characters that ends at `end` starts.

    Of a run longer than `longest`, each of whose tokens would cost a step of the engine, only an
    end counts; its start stays in place while half of `longest` is typed.
    """
    start = end
    while start > 0 and belongs(text[start - 1]):
        start -= 1
        if end - start > longest:
            half = longest // 2
            return (end // half - 1) * half
    return start


def _task(place: Place, suffix: str) -> str:
    """Return what the model is asked to do. Nothing in it changes while a line is typed."""
    where = f" `{shown_path(place.path)}`" if place.path else ""
    if not suffix.strip():
        return f"Write the code of the file{where}."
    after = fenced(suffix.rstrip("\n"), place.language)
    return f"Write the code of the file{where}. It ends with this code:\n{after}"


def _following(suffix: str, *, keep_line_end: bool) -> str:
    """Return what follows the cursor, from the next line on if this one only closes brackets."""
    line, line_end, rest = suffix.partition("\n")
    if not _CLOSING.fullmatch(line):
        return suffix
    return line_end + rest if keep_line_end else rest


def _head(text: str, tokenizer: Tokenizer, limit: int) -> str:
    """Return the beginning of `text` that about `limit` tokens hold, whole lines if possible."""
    head = text[: limit * _REACH]
    ids = tokenizer.encode(head)
    if len(ids) > limit:
        head = head[: len(tokenizer.decode(ids[:limit]).rstrip("\ufffd"))]
    if len(head) < len(text) and "\n" in head:
        head = head[: head.rindex("\n") + 1]
    return head


def _windowed(prefix: str, layout: _Layout, tokenizer: Tokenizer, limit: int) -> list[int]:
    """Return the prompt with as much of `prefix` as fits, from one of a few possible starts on."""
    frame = layout("")
    if len(frame) > limit:
        raise PromptTooLongError(len(frame), limit, "the frame of a completion prompt")
    for start in _starts(prefix, tokenizer, limit, limit - len(frame)):
        ids = layout(prefix[start:].replace("\r\n", "\n"))
        if len(ids) <= limit:
            return ids
    return frame


def _starts(text: str, tokenizer: Tokenizer, limit: int, room: int) -> list[int]:
    """
    Return where a window of about `room` tokens to the end of `text` may start, the best first.

    The places depend on the text only, not on what was asked before: about each quarter of the
    budget, at the next line start. So a key moves the window rarely, and then by much. Where so
    coarse a choice would waste half the room (text with many tokens to a character), it is made
    finer.
    """
    step = max(1, limit // 4 * _STEP)
    while True:
        starts: list[int] = []
        filled, end = 0, len(text)
        for start in _line_starts(text, step):
            used = filled + len(tokenizer.encode(text[start:end].replace("\r\n", "\n")))
            if used > room or len(text) - start > limit * _REACH:
                break
            starts.append(start)
            filled, end = used, start
        if step == 1 or end == 0 or filled * 2 >= room:
            return starts[::-1]
        step //= 2


def _line_starts(text: str, step: int) -> Iterator[int]:
    """Yield the line starts that follow each multiple of `step`, the last first; 0 is the last."""
    for position in range(len(text) // step * step, 0, -step):
        line_end = text.find("\n", position - 1, position + step // 2)
        # A very long line is cut within.
        yield line_end + 1 if line_end >= 0 else position
    yield 0
