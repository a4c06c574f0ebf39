"""Tasks whose answer becomes an edit: what is asked, and what is made of the answer."""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from lsprotocol import types

from opencoder_lsp.errors import AnswerError, PromptError, StaleError
from opencoder_lsp.lsp.arguments import EditArguments
from opencoder_lsp.lsp.code_blocks import UNCHANGED, rewritten, written
from opencoder_lsp.lsp.cursor import blanks
from opencoder_lsp.lsp.doc_comments import comment_in
from opencoder_lsp.lsp.docstrings import docstring_in, documented
from opencoder_lsp.lsp.documents import Document
from opencoder_lsp.lsp.new_tests import NewTests, new_tests
from opencoder_lsp.lsp.parsing import syntax_fault
from opencoder_lsp.lsp.rewriting import dedented, fitted, line_end, objection, plain
from opencoder_lsp.lsp.selection import (
    Lines,
    lines_between,
    lines_of,
    scope_of,
    sendable,
    surrounded,
)
from opencoder_lsp.lsp.workspace_edits import EditSupport, changes, edit_of, new_file
from opencoder_lsp.prompt.tasks import CodeSelection, Problem, Task

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

EditKind = Literal["fix", "document", "test", "refactor"]
# What the user reads of a task.
LABELS: dict[EditKind, str] = {
    "fix": "Fix with OpenCoder",
    "document": "Document with OpenCoder",
    "test": "Write tests with OpenCoder",
    "refactor": "Refactor with OpenCoder",
}
_LARGEST = 200_000  # characters that are parsed; meanwhile nothing else runs in the server

# What some word of a test is in any language.
_TEST = re.compile(r"test|assert|expect|should|check", re.IGNORECASE)

# Makes an edit of an answer and whether it was cut off; raises AnswerError where it cannot.
MakeEdit = Callable[[str, bool], types.WorkspaceEdit]


@dataclass(frozen=True, slots=True)
class EditTask:
    """A task, the lines of a document that it is about, and what makes an edit of its answer."""

    task: Task
    document: Document
    state: tuple[int, int]  # version, and number of changes: some editors give no new version
    lines: Lines
    edit: MakeEdit

    @property
    def name(self) -> str:
        """The name of the file."""
        return PurePosixPath(self.task.selection.path).name or "code"

    def check_current(self, ls: "Server") -> None:
        """Raise StaleError where the document is not the one that was asked about."""
        document = ls.documents.get(self.document.uri)
        if document is not self.document or not document.in_sync or _state(document) != self.state:
            raise StaleError("the document changed while the model worked, so it is not edited")


def _state(document: Document) -> tuple[int, int]:
    return document.version, document.edits


async def edit_task(ls: "Server", kind: EditKind, arguments: EditArguments) -> EditTask:
    """
    Return what to ask about a range of an open document.

    Raises PromptError where there is nothing to ask, StaleError where the arguments name another
    version than the document has.
    """
    document = sendable(ls, arguments.uri)
    if arguments.version is not None and arguments.version != document.version:
        raise StaleError("the document has changed since; ask again")
    state, lines = _state(document), target(document, kind, arguments.lsp_range())
    selection = CodeSelection(
        ls.workspace_folders.shown_path(document.uri), document.language, dedented(lines)
    )
    selection = surrounded(selection, document, lines)
    task = Task(kind, selection, arguments.instruction or "")
    if kind == "fix":
        problems = tuple(dict.fromkeys(_problems(document, lines, arguments)))
        task = replace(task, selection=replace(selection, problems=problems))
    if kind == "test":
        tests = await _tests(ls, document)
        path = ls.workspace_folders.shown_path(tests.path.as_uri()) if tests.path else ""
        task = replace(task, framework=tests.framework, target=path)
        edit = _test_file(ls, document, tests)
    else:

        def edit(answer: str, cut: bool) -> types.WorkspaceEdit:
            edits = replacement(document, kind, lines, answer, cut=cut)
            return edit_of(ls, document, edits, LABELS[kind])

    return EditTask(task, document, state, lines, edit)


def target(document: Document, kind: EditKind, span: types.Range) -> Lines:
    """Return the lines that a task is about; of those that document, the whole definition."""
    lines = lines_of(document, span, wide=kind == "fix")
    scope = scope_of(document, span) if kind in ("document", "test") else None
    if scope is not None and (kind == "document" or span.start == span.end):
        return lines_between(document, scope.first, scope.last)
    if kind == "document" and document.language == "python":
        raise PromptError("there is no function or class to document there")
    return lines


def _problems(document: Document, lines: Lines, arguments: EditArguments) -> Iterator[Problem]:
    """Yield what is said of some lines; of Python that does not parse at least that."""
    said = [
        diagnostic
        for diagnostic in arguments.diagnostics
        if diagnostic.range.start.line <= lines.last and lines.first <= diagnostic.range.end.line
    ]
    for diagnostic in said:
        line = max(diagnostic.range.start.line, lines.first) - lines.first + 1
        yield Problem(line, diagnostic.shown)
    if not said and document.language == "python" and document.size <= _LARGEST:
        fault = syntax_fault(document.text)
        if fault is not None and fault.lineno is not None:
            line = fault.lineno - lines.first
            if 1 <= line <= lines.last - lines.first + 1:
                yield Problem(line, f"SyntaxError: {fault.msg}")


def replacement(
    document: Document, kind: EditKind, lines: Lines, answer: str, *, cut: bool
) -> list[types.TextEdit]:
    """
    Return what makes of some lines what an answer says; AnswerError where that cannot be.

    `cut` is whether the answer had to end before the model was done.
    """
    if kind == "document":
        new = _documented(document, lines, answer, cut)
    else:
        may_be = partial(objection, document=document, lines=lines)
        code = rewritten(answer, dedented(lines), may_be, cut=cut)
        new = fitted(code, document, lines)
    edits = changes(document, lines, new)
    if not edits:
        raise AnswerError(UNCHANGED)
    return edits


def _documented(document: Document, lines: Lines, answer: str, cut: bool) -> str:
    code, end = plain(lines.text), line_end(document)
    if document.language == "python":
        scope = scope_of(document, types.Range(*[types.Position(lines.first, 0)] * 2))
        text = docstring_in(answer, scope.name if scope else "", cut=cut)
        return documented(code, text).replace("\n", end)
    comment = comment_in(answer, document.language, cut=cut)
    return "".join(blanks(code) + line + end for line in comment) + lines.text


async def _tests(ls: "Server", document: Document) -> NewTests:
    if not document.uri.startswith("file:"):
        return NewTests("", None)
    path = ls.workspace_folders.file_path(document.uri)
    folders = ls.workspace_folders.paths
    return await asyncio.to_thread(new_tests, path, document.language, folders)


def _test_file(ls: "Server", document: Document, tests: NewTests) -> MakeEdit:
    """Return what makes a new file of an answer; one that is there is never written over."""

    def fault(code: str) -> str:
        if _TEST.search(code) is None:
            return "the model's code tests nothing"
        python = document.language == "python"
        return "the model's code does not parse" if python and syntax_fault(code) else ""

    def edit(answer: str, cut: bool) -> types.WorkspaceEdit:
        code = written(answer, fault, cut=cut)
        if tests.path is None:
            raise AnswerError("it is not known where tests go here; they are in the answer")
        if not EditSupport.of(ls.client_capabilities).new_files:
            raise AnswerError("this editor lets no server make a file; the tests are in the answer")
        text = code.strip("\n").rstrip() + "\n"
        return new_file(ls, tests.path.as_uri(), text, LABELS["test"])

    return edit
