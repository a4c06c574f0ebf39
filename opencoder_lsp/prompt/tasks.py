"""
What the model is asked to do with a piece of code; every word that it reads of ours stands here.

A task's message is what to do, what is known of the code's surroundings, and the code. Where that
is too long, surroundings are dropped, never code: `Task.conversations` gives shorter ones in turn.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from opencoder_lsp.prompt.conversation import Message
from opencoder_lsp.prompt.outline import outline

Kind = Literal["explain", "fix", "document", "test", "refactor"]

_LONGEST_PATH = 120  # characters: a prompt has better uses for its tokens
_LONGEST_PROBLEM = 300  # characters of a diagnostic's message
_MOST_PROBLEMS = 20

# What each task says. {code} is "this code", or "this code from `its/path`".
_TASKS: dict[Kind, str] = {
    "explain": "Explain what {code} does, briefly and step by step.",
    "fix": "Fix {code}. Answer with all of the corrected code in one code block, changing nothing "
    "that is right, and say below it in one sentence what was wrong.",
    "document": "Write {documentation} for {code}: what it does, what it takes, what it returns. "
    "Answer in one code block, and leave out the body.",
    "test": "Write tests for {code} with {framework}. Answer with one complete test file in one "
    "code block.{place} Cover the usual case and the edge cases.",
    "refactor": "Rewrite {code}: {instruction}\nAnswer with all of the rewritten code in one code "
    "block. What it does for others stays the same, unless that is asked for.",
}
_IMPROVE = "make it simpler and easier to read."
# How a comment begins that is documentation, and how what is begun ends.
_COMMENTS = {
    **dict.fromkeys(("java", "kotlin", "php", "c", "cpp", "cuda-cpp"), "/**\n * "),
    **dict.fromkeys(("javascript", "javascriptreact", "typescript", "typescriptreact"), "/**\n * "),
    **dict.fromkeys(("rust", "csharp"), "/// "),
    "go": "// ",
}
_ENDS = {'"""': '"""', "/**\n * ": "*/"}
# With what a model begins that does not go on with what is begun for it.
_ANEW = ("```", "~~~", '"""', "'''", "/*", "//")
# What documentation is called where it has a form of its own.
_DOCUMENTATION = {
    "python": "a docstring in triple quotes",
    "java": "a Javadoc comment",
    "kotlin": "a KDoc comment",
    "php": "a PHPDoc comment",
    "rust": "a `///` doc comment",
    "csharp": "a `///` XML doc comment",
    "go": "a Go doc comment",
    **dict.fromkeys(("c", "cpp", "cuda-cpp", "objective-c", "objective-cpp"), "a Doxygen comment"),
    **dict.fromkeys(
        ("javascript", "javascriptreact", "typescript", "typescriptreact", "vue", "svelte"),
        "a JSDoc comment",
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic: the line it begins on, counted from 1 within the code, and what it says."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class CodeSelection:
    """
    Selected code; `path` and `language` may be empty.

    `scope` are the headers of the classes and functions around it, `imports` the statements of the
    file that it needs, `problems` what tools say of it.
    """

    path: str
    language: str
    code: str
    scope: str = ""
    imports: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Task:
    """
    What is to be done with some code; `instruction` is the user's own wish.

    `framework` and `target` are what tests are written with, and the path that they go to.
    """

    kind: Kind
    selection: CodeSelection
    instruction: str = ""
    framework: str = ""
    target: str = ""

    def conversations(self) -> Iterator[list[Message]]:
        """
        Yield what to ask, the fullest first; in each next one more of the surroundings is missing.

        First the imports go, then the scope, then the problems. In the last there is only the code.
        """
        full = self.selection
        lean = replace(full, imports="")
        bare = replace(lean, scope="")
        begun = [Message("assistant", self.opening)] if self.opening else []
        for selection in dict.fromkeys((full, lean, bare, replace(bare, problems=()))):
            yield [Message("user", self._text(selection)), *begun]

    @cached_property
    def opening(self) -> str:
        """
        What the answer is made to begin with, "" where the model is free.

        Small models repeat the code instead of documenting it unless a docstring is begun for
        them: of 19 functions the demo model documented none without this, and 18 with it.
        """
        language = self.selection.language.lower()
        begun = {"document": _documentation, "test": _first_test}.get(self.kind)
        text = begun(self.selection, self.framework) if begun else ""
        return f"```{info_string(language)}\n{text}" if text else ""

    def end(self, answer: str) -> int | None:
        """Return where an answer is complete though the model goes on; None where it is not."""
        opening = self.opening
        mark = next((end for begin, end in _ENDS.items() if opening.endswith(begin)), "")
        if not mark or self.meant(answer) != answer:
            return None
        at = answer.find(mark, len(opening))
        return at + len(mark) if at >= 0 else None

    def meant(self, answer: str) -> str:
        """Return an answer without what was begun for the model, where it began anew itself."""
        own = answer.removeprefix(self.opening)
        return own if own.lstrip().startswith(_ANEW) else answer

    def _text(self, selection: CodeSelection) -> str:
        parts = [self._sentence(selection)]
        if selection.scope:
            parts.append("It stands in:\n" + fenced(selection.scope, selection.language))
        if selection.imports:
            parts.append("The file imports:\n" + fenced(selection.imports, selection.language))
        if selection.problems:
            parts.append("What is said of it:\n" + _problems(selection))
        parts.append(fenced(selection.code, selection.language))
        return "\n\n".join(parts)

    def _sentence(self, selection: CodeSelection) -> str:
        path = f" from `{shown_path(selection.path)}`" if selection.path else ""
        documentation = _DOCUMENTATION.get(selection.language.lower(), "a documentation comment")
        place = f" It is saved as `{shown_path(self.target)}`." if self.target else ""
        instruction = self.instruction.strip()
        sentence = _TASKS[self.kind].format(
            code=f"this code{path}",
            documentation=documentation,
            framework=self.framework or "the usual test framework of the language",
            place=place,
            instruction=instruction or _IMPROVE,
        )
        if instruction and self.kind != "refactor":
            sentence += f"\nMind this, too: {instruction}"
        return sentence


def explain(selection: CodeSelection) -> list[Message]:
    """Return the conversation that asks what the selected code does."""
    return next(Task("explain", selection).conversations())


def _documentation(selection: CodeSelection, _: str) -> str:
    """Return the header of a Python definition and the quotes of its docstring, or a mark."""
    language = selection.language.lower()
    if language != "python":
        return _COMMENTS.get(language, "")
    scopes = outline(selection.code, language)
    header = scopes[0].header if scopes else ""
    return f'{header}\n    """' if header.rstrip().endswith(":") else '"""'


def _first_test(selection: CodeSelection, framework: str) -> str:
    """Return the imports of a test with pytest and its first word, where the file is a module."""
    module = re.sub(r"^src/|(/__init__)?\.py$", "", selection.path).replace("/", ".")
    scopes = outline(f"{selection.scope}\n{selection.code}", "python")
    importable = all(part.isidentifier() for part in module.split("."))
    if framework != "pytest" or not scopes or not importable:
        return ""
    return f"import pytest\n\nfrom {module} import {scopes[0].name}\n\n\ndef test_"


def _problems(selection: CodeSelection) -> str:
    lines = selection.code.splitlines()
    shown = []
    for problem in selection.problems[:_MOST_PROBLEMS]:
        line = lines[problem.line - 1].strip() if problem.line <= len(lines) else ""
        message = " ".join(problem.message.split())[:_LONGEST_PROBLEM]
        shown.append(f"- line {problem.line} (`{line.replace('`', '')[:80]}`): {message}")
    return "\n".join(shown)


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
