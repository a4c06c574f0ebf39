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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from opencoder_lsp.errors import PromptError
from opencoder_lsp.prompt import healing
from opencoder_lsp.prompt.conversation import Template
from opencoder_lsp.prompt.import_statements import imports_of_head, leads_nearby
from opencoder_lsp.prompt.layouts import (
    FIM_TOKENS,
    FimOrder,
    bare_layout,
    fim_layout,
    template_layout,
    written_for_fim,
)
from opencoder_lsp.prompt.snippets import Snippet, as_section, fitting
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.prompt.window import REACH, STEP, Layout, windowed

Mode = Literal["auto", "template", "fim", "prefix"]
Lines = Literal["auto", "single", "multi"]

_CLOSING = re.compile(r"[\s)\]}>\"'`;:,]*")


@dataclass(frozen=True, slots=True)
class Place:
    """
    A cursor: the file, and the text left and right of it, with LF or CRLF.

    `lines` is how much is wanted there: to the end of the line, a block, or what suits the place.
    """

    path: str
    language: str
    prefix: str
    suffix: str
    lines: Lines = "auto"


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
    heal: bool = True,
    snippets: Sequence[Snippet] = (),
    imports: bool = False,
) -> CompletionPrompt:
    """
    Return the prompt for a completion at `place`, of at most `limit` tokens; `mode` "auto" is what
    `chosen` makes of it.

    With `heal` the answer's first tokens are those of `forced_prefix`: allow for them in
    `max_tokens`. With `imports` those of the file stand in front of code whose beginning does not
    fit, the project's own before others. Of `snippets`, which stand best first, those go along
    that fit an eighth of the limit together with them. Mode "prefix" takes neither, and no code
    after the cursor.

    Raises PromptTooLongError where not even the frame (the task, the code after the cursor) fits,
    and PromptError, naming it, for a control token that the vocabulary lacks.
    """
    mode = chosen(mode, tokenizer, template)
    prefix, suffix = place.prefix, place.suffix[: limit * REACH]
    if prefix.endswith("\r") and suffix.startswith("\n"):  # within a CRLF is before it
        prefix = prefix[:-1]
    prefix, forced = healing.heal(prefix) if heal else (prefix, "")
    imports = imports and mode != "prefix"

    def head(cut: str) -> str:
        return _imports(cut, place.path, tokenizer, limit // 8) if imports else ""

    if mode == "prefix":
        layout = bare_layout(tokenizer, template)
    else:
        following = _following(suffix.replace("\r\n", "\n"), keep_line_end=mode == "fim")
        after = _head(following, tokenizer, limit // 4)
        laid_out, written = _layouts(place, after, tokenizer, template, mode, fim_order, limit)
        share = limit // 8
        if len(prefix) > limit // 2 * STEP:  # or else its own beginning is there
            share -= tokenizer.count(head(prefix))
        layout = laid_out(taken := fitting(snippets, written, tokenizer, share))
        if taken and len(layout("")) > limit - limit // 4:  # the code itself comes first
            layout = laid_out(())
    return CompletionPrompt(windowed(prefix, layout, tokenizer, limit, head), forced)


def chosen(mode: Mode, tokenizer: Tokenizer, template: Template) -> Mode:
    """
    Return the mode that "auto" means for a model: what it was trained for.

    Raises PromptError for "template" where the model has none.
    """
    if mode == "template" and not template.eot:
        raise PromptError("this model has no conversation template; set completion.prompt to auto")
    if mode != "auto":
        return mode
    if template.eot:
        return "template"
    return "fim" if all(map(tokenizer.has_control, FIM_TOKENS)) else "prefix"


def _layouts(
    place: Place,
    after: str,
    tokenizer: Tokenizer,
    template: Template,
    mode: Mode,
    order: FimOrder,
    limit: int,
) -> tuple[Callable[[Sequence[Snippet]], Layout], Callable[[Snippet], str]]:
    """Return what makes the layout for some snippets, and how it writes one."""
    path, language = place.path, place.language
    if mode == "fim":
        return (
            lambda chosen: fim_layout(path, language, after, chosen, tokenizer, order),
            lambda snippet: written_for_fim(snippet, tokenizer, language),
        )
    seen = place.prefix[-limit * REACH :]
    return (
        lambda chosen: template_layout(path, language, seen, after, chosen, tokenizer, template),
        lambda snippet: as_section(snippet, language),
    )


def _following(suffix: str, *, keep_line_end: bool) -> str:
    """Return what follows the cursor, from the next line on if this one only closes brackets."""
    line, line_end, rest = suffix.partition("\n")
    if not _CLOSING.fullmatch(line):
        return suffix
    return line_end + rest if keep_line_end else rest


def _imports(cut: str, path: str, tokenizer: Tokenizer, room: int) -> str:
    """Return those of the imports in `cut` that `room` tokens hold, in order; "" for none."""
    statements = imports_of_head(cut)
    fit = set[str]()
    for statement in sorted(statements, key=lambda one: not leads_nearby(one, path)):
        tokens = tokenizer.count(f"{statement}\n")
        if tokens < room:  # the empty line below them is one
            room -= tokens
            fit.add(statement)
    return "".join(f"{one}\n" for one in statements if one in fit) + ("\n" if fit else "")


def _head(text: str, tokenizer: Tokenizer, limit: int) -> str:
    """Return the beginning of `text` that about `limit` tokens hold, whole lines if possible."""
    head = text[: limit * REACH]
    ids = tokenizer.encode(head)
    if len(ids) > limit:
        head = head[: len(tokenizer.decode(ids[:limit]).rstrip("\ufffd"))]
    if len(head) < len(text) and "\n" in head:
        head = head[: head.rindex("\n") + 1]
    return head
