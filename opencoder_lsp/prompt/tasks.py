"""What the model is asked to do with a piece of code."""

import re
from dataclasses import dataclass

from opencoder_lsp.prompt.conversation import Message

_LONGEST_PATH = 120  # characters: a prompt has better uses for its tokens


@dataclass(frozen=True, slots=True)
class CodeSelection:
    """Selected code; `path` and `language` may be empty."""

    path: str
    language: str
    code: str


def explain(selection: CodeSelection) -> list[Message]:
    """Return the conversation that asks what the selected code does."""
    where = f" from `{shown_path(selection.path)}`" if selection.path else ""
    task = f"Explain what this code{where} does, briefly and step by step."
    return [Message("user", f"{task}\n\n{fenced(selection.code, selection.language)}")]


def fenced(code: str, language: str) -> str:
    """Return a Markdown code block that `code` cannot end."""
    fence = fence_for(code)
    code = code.replace("\r\n", "\n")
    end = "" if code.endswith("\n") else "\n"
    return f"{fence}{info_string(language)}\n{code}{end}{fence}"


def fence_for(*texts: str) -> str:
    """Return a code fence longer than any run of backticks in `texts`, three at least."""
    runs = (len(run) for text in texts for run in re.findall("```+", text))
    return "`" * max(3, 1 + max(runs, default=0))


def info_string(language: str) -> str:
    """Return `language` as it may stand behind a fence: nothing in it can end the line."""
    return re.sub(r"[^\w.+#-]", "", language)[:32]


def shown_path(path: str) -> str:
    """Return `path` fit to stand in a line of a prompt; of a long one only the end."""
    line = re.sub(r"[\x00-\x1f\x7f`]", "", path)
    if len(line) <= _LONGEST_PATH:
        return line
    tail = line[-_LONGEST_PATH:]
    _, slash, whole = tail.partition("/")
    return whole if slash else tail
