"""
`opencoder-lsp demo`: what an editor would show, on a real file, with a real model.

The demo opens a file in the real language server, takes away the rest of a line as if it had not
been typed yet, asks for a completion there, and then asks for an explanation of the function.
"""

import ast
import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from opencoder_lsp.cli.files import LINE_END, document_uri, language_of, read_source
from opencoder_lsp.cli.loading import ready_session
from opencoder_lsp.cli.models import pull_model
from opencoder_lsp.cli.session import Cursor, Session
from opencoder_lsp.cli.terminal import console
from opencoder_lsp.errors import ModelError, OpencoderError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import from_process

EXPLANATION = 200  # tokens at most: a demo should not take long on a CPU


@dataclass(frozen=True, slots=True)
class Hole:
    """A function of a file, and a place in it from which the rest of the line is taken away."""

    lines: list[str]
    line_end: str
    first: int  # the function's first line, counted from 0
    last: int  # its last line, included
    line: int
    character: int

    @property
    def taken(self) -> str:
        """What the file really has after the cursor."""
        return self.lines[self.line][self.character :]

    def text(self) -> str:
        """The document with the hole in it."""
        lines = list(self.lines)
        lines[self.line] = lines[self.line][: self.character]
        return self.line_end.join(lines)


def find_hole(text: str, path: Path) -> Hole:
    """
    Choose a function and a place in it: after `return` or `=` in its later half, if there is one.

    Raises OpencoderError where the file has no line of code to complete.
    """
    lines = LINE_END.split(text)
    line_end = "\r\n" if "\r\n" in text else "\n"
    spans = _python_functions(text) if path.suffix == ".py" else []
    spans = [span for span in spans if 3 <= span[1] - span[0] <= 40] or [(0, len(lines) - 1)]
    for first, last in spans:
        middle = (first + last) // 2
        for number in [*range(last, middle, -1), *range(middle, first, -1)]:
            match = re.match(r"\s*(?:return |[\w.]+ = |if |for )(?=\S.{4,60}$)", lines[number])
            if match:
                return Hole(lines, line_end, first, last, number, match.end())
    for number, line in enumerate(lines):
        if len(line.strip()) > 8:
            return Hole(lines, line_end, 0, len(lines) - 1, number, len(line) // 2)
    raise OpencoderError(f"{path} has no line that could be completed")


def _python_functions(text: str) -> list[tuple[int, int]]:
    """Return the first and last line, counted from 0, of each function of a Python file."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return [(node.lineno - 1, (node.end_lineno or node.lineno) - 1) for node in nodes]


class Figures:
    """Time to the first piece and to the end of an answer, in seconds, and the pieces counted."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.first = 0.0
        self.total = 0.0

    def piece(self) -> None:
        """Note that a piece has come."""
        self.first = self.first or time.perf_counter() - self._start

    def end(self) -> None:
        """Note that the answer is complete."""
        self.total = time.perf_counter() - self._start


def _screen(hole: Hole, suggestion: str) -> Text:
    """Draw some lines of the file, with the suggestion as ghost text at the cursor."""
    before = hole.lines[max(hole.first, hole.line - 8) : hole.line]
    after = hole.lines[hole.line + 1 : min(hole.last, hole.line + 4) + 1]
    screen = Text("\n".join([*before, hole.lines[hole.line][: hole.character]]))
    screen.append(suggestion or "▏", style="italic green")
    return screen.append("".join(f"\n{line}" for line in after))


async def _show_completion(session: Session, path: Path, hole: Hole) -> Figures:
    figures = Figures()
    title = f"completion at {path.name}:{hole.line + 1}:{hole.character + 1}"
    taken = Text(f"the file has: {hole.taken}", style="dim")

    def panel(suggestion: str) -> Panel:
        shown = _screen(hole, suggestion)
        return Panel(shown, title=title, title_align="left", subtitle=taken, subtitle_align="left")

    with _drawn(panel("")) as live:

        def show(suggestion: str) -> None:
            if suggestion:
                figures.piece()
                live.update(panel(suggestion))

        cursor = Cursor(path, hole.line, hole.character)
        suggestion = await session.complete(cursor, show)
        figures.end()
        live.update(panel(suggestion), refresh=True)
    if not suggestion:
        console.print("the model had nothing to suggest here", style="yellow")
    return figures


@contextmanager
def _drawn(panel: Panel) -> Iterator[Live]:
    """Draw a panel as it changes; where there is no terminal, once, and with an end of its line."""
    with Live(panel, console=console, refresh_per_second=20) as live:
        yield live
    if not console.is_terminal:
        console.line()


async def _show_explanation(session: Session, path: Path, hole: Hole) -> Figures:
    figures, answer = Figures(), Text()
    title = f"explanation of {path.name}, lines {hole.first + 1} to {hole.last + 1}"
    end = {"line": hole.last, "character": len(hole.lines[hole.last])}
    uri = document_uri(path)
    selection = {"start": {"line": hole.first, "character": 0}, "end": end}
    panel = Panel(answer, title=title, title_align="left")
    with _drawn(panel):

        def show(piece: str) -> None:
            figures.piece()
            answer.append(piece)

        arguments = {"uri": uri, "range": selection}
        await session.command("opencoder.explain", arguments, show)
        figures.end()
    return figures


async def _demo(path: Path, text: str, pairs: Sequence[str]) -> None:
    hole = find_hole(text, path)
    started = time.perf_counter()
    async with ready_session(pairs) as session:
        ready = time.perf_counter() - started
        document = session.open(path, language_of(path), hole.text())
        completion = await _show_completion(session, path, hole)
        session.close(document)
        session.open(path, language_of(path), text)
        explanation = await _show_explanation(session, path, hole)
    console.print(
        f"\nlanguage server and model ready {ready:.1f} s · "
        f"completion {completion.first * 1e3:.0f} ms to the first token, "
        f"{completion.total * 1e3:.0f} ms in all · explanation {explanation.first * 1e3:.0f} ms "
        f"to the first token, {explanation.total:.1f} s in all",
        soft_wrap=True,
    )


def default_file() -> Path:
    """Return a real file that every machine has: Python's own `textwrap` module."""
    import textwrap

    return Path(textwrap.__file__)


def run_demo(file: Path | None, pairs: Sequence[str]) -> int:
    """Pull the demo model if no model is there, then show a completion and an explanation."""
    path = file or default_file()
    text = read_source(path)
    settings = from_process(pairs)
    try:
        registry.resolve(settings)
    except ModelError:
        if settings.model.name not in ("auto", "demo"):
            raise
        console.print("No model is here yet; pulling the small demo model (once).")
        pull_model("demo", tokenizer_only=bool(settings.engine.url))
    console.print(registry.explain_choice(settings), style="bold", soft_wrap=True)
    asyncio.run(_demo(path, text, [f"chat.max_tokens={EXPLANATION}", *pairs]))
    return 0
