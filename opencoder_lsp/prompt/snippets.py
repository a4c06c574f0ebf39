"""Snippets of other files in a prompt: how they are written, and which of them fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from opencoder_lsp.prompt.comments import commented
from opencoder_lsp.prompt.tasks import fenced, shown_path
from opencoder_lsp.prompt.tokenizer import Tokenizer

# What StarCoder's vocabularies write in front of a file: the second generation's, the first's.
FILE_TOKENS = ("<file_sep>", "<filename>")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file: its path as a model sees it, and its text with LF or CRLF."""

    path: str
    text: str


def joined(snippets: Sequence[Snippet]) -> list[Snippet]:
    """Return the snippets with neighbours of one file made into one, an empty line between."""
    files = list[Snippet]()
    for snippet in snippets:
        if files and files[-1].path == snippet.path:
            text = files.pop().text
            gap = "\n" if text.endswith("\n") else "\n\n"
            snippet = Snippet(snippet.path, f"{text}{gap}{snippet.text}")
        files.append(snippet)
    return files


def as_section(snippet: Snippet, language: str) -> str:
    """Return a snippet as a part of a request: its path, then a code block."""
    return f"`{shown_path(snippet.path)}`:\n{fenced(snippet.text, language)}\n"


def as_comments(snippet: Snippet, language: str) -> str:
    """Return a snippet as comment lines in front of code."""
    return commented(f"{shown_path(snippet.path)}:\n{snippet.text}", language)


def as_file(snippet: Snippet) -> str:
    """Return a snippet as what follows the control token in front of a file."""
    text = snippet.text.replace("\r\n", "\n")
    return f"{shown_path(snippet.path)}\n{text}" + ("" if text.endswith("\n") else "\n")


def file_token(tokenizer: Tokenizer) -> str:
    """Return the control token that a vocabulary writes in front of a file; "" without one."""
    return next((token for token in FILE_TOKENS if tokenizer.has_control(token)), "")


def fitting(
    snippets: Sequence[Snippet], write: Callable[[Snippet], str], tokenizer: Tokenizer, room: int
) -> tuple[Snippet, ...]:
    """
    Return the snippets, in their order, that `room` tokens hold as `write` writes them.

    The first are the best, so each is taken that still fits, and one too many is left out whole:
    half of a definition says little.
    """
    chosen = []
    for snippet in snippets:
        tokens = tokenizer.count(write(snippet)) + 1  # the control token
        if tokens <= room:
            room -= tokens
            chosen.append(snippet)
    return tuple(chosen)
