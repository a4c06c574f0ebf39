"""`opencoder-lsp explain`, `fix`, `document`, `test` and `refactor`: work on a part of a file."""

import asyncio
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from opencoder_lsp.cli.edits import FileEdit, file_edit
from opencoder_lsp.cli.files import LINE_END, language_of, read_source
from opencoder_lsp.cli.loading import ready_session
from opencoder_lsp.cli.session import OnText
from opencoder_lsp.cli.terminal import console, errors, print_json
from opencoder_lsp.errors import OpencoderError, SettingsError
from opencoder_lsp.settings import from_process

TaskName = Literal["explain", "fix", "document", "test", "refactor"]

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
# All control characters but tabs and line ends: a model must not write to the terminal.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file: lines from 1, both included; all of it without `first`."""

    path: Path
    first: int | None = None
    last: int | None = None

    def span(self, text: str) -> dict[str, Any]:
        """Return it as LSP's range; OpencoderError where the file is shorter."""
        count = len(LINE_END.split(text))
        if self.first is None:
            return _range(0, count)
        last = self.first if self.last is None else self.last
        if last > count:
            raise OpencoderError(f"{self.path} has {count} lines, not {last}")
        # One line is a cursor: it means the function around it.
        return _range(self.first - 1, self.first - 1 if self.last is None else self.last)


def _range(first: int, last: int) -> dict[str, Any]:
    return {"start": {"line": first, "character": 0}, "end": {"line": last, "character": 0}}


def parse_part(text: str) -> Part:
    """Read `FILE[:LINE | :FIRST-LAST]`, counted from 1; SettingsError where it is not that."""
    match = re.fullmatch(r"(.+):(\d{1,9})(?:-(\d{1,9}))?", text)
    if match is None or Path(text).exists():
        return Part(Path(text))
    first, last = int(match[2]), int(match[3]) if match[3] else None
    if first < 1 or (last is not None and last < first):
        raise SettingsError(f"a part of a file is FILE:FIRST-LAST, counted from 1, not {text!r}")
    return Part(Path(match[1]), first, last)


def run_explain(part: Part, pairs: Sequence[str], *, as_json: bool) -> int:
    """Print an explanation as it comes; without a terminal, all the same."""
    from_process(pairs)  # a bad setting is wrong usage here, not a server that ended
    text = read_source(part.path)
    result = asyncio.run(_ask("explain", part, text, "", pairs, None if as_json else _write))
    if as_json:
        print_json(result)
        return 0
    _write("\n")
    if result["finishReason"] == "length":
        errors.print("(cut off: it reached chat.max_tokens or the end of the context)")
    return 0


def run_edit(
    task: TaskName,
    part: Part,
    instruction: str,
    pairs: Sequence[str],
    *,
    apply: bool,
    as_json: bool,
) -> int:
    """Print the model's edit as a unified diff, and with `apply` make it; 1 where there is none."""
    from_process(pairs)
    text = read_source(part.path)
    result = asyncio.run(_ask(task, part, text, instruction, pairs, None))
    edit = file_edit(result["edit"], part.path, text) if result["edit"] else None
    if edit is not None and apply:
        edit.write()
    if as_json:
        diff = edit.diff() if edit else None
        print_json({**result, "diff": diff, "applied": apply and edit is not None})
    elif edit is None:
        errors.print(_CONTROLS.sub("", result["text"]), soft_wrap=True)
        errors.print(f"no edit: {result['reason']}", style="bold", soft_wrap=True)
    else:
        _print_diff(edit)
        if apply:
            errors.print(f"written: {edit.path}", soft_wrap=True)
    return 0 if edit is not None else 1


async def _ask(
    task: TaskName,
    part: Part,
    text: str,
    instruction: str,
    pairs: Sequence[str],
    on_text: OnText | None,
) -> dict[str, Any]:
    span, here = part.span(text), Path.cwd()
    folders = [here] if part.path.absolute().is_relative_to(here) else []
    async with ready_session(pairs, folders) as session:
        document = session.open(part.path, language_of(part.path), text)
        arguments: dict[str, Any] = {"uri": document.uri, "range": span}
        if instruction:
            arguments["instruction"] = instruction
        name = f"opencoder.{task}"
        if on_text is not None:
            return await session.command(name, arguments, on_text)
        with errors.status("the model writes"):
            return await session.command(name, arguments)


def _print_diff(edit: FileEdit) -> None:
    if not console.is_terminal:
        sys.stdout.write(edit.diff())  # as it is, for `patch` and `git apply`
        return
    for line in edit.diff().splitlines():
        shown = _CONTROLS.sub("", line)
        console.print(shown, style=_STYLES.get(line[:1]), soft_wrap=True)


def _write(text: str) -> None:
    sys.stdout.write(_CONTROLS.sub("", text) if console.is_terminal else text)
    sys.stdout.flush()
