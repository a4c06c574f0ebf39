"""`opencoder-lsp complete FILE:LINE:COL`: what an editor would show there."""

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from opencoder_lsp.cli.files import LINE_END, language_of, read_source
from opencoder_lsp.cli.loading import ready_session
from opencoder_lsp.cli.session import Cursor
from opencoder_lsp.cli.terminal import errors, print_json
from opencoder_lsp.errors import OpencoderError, SettingsError
from opencoder_lsp.settings import from_process


def parse_place(place: str) -> Cursor:
    """Read `FILE:LINE:COL`, counted from 1; SettingsError (wrong usage) where it is not that."""
    match = re.fullmatch(r"(.+):(\d+):(\d+)", place)
    if match is None or min(int(match[2]), int(match[3])) < 1:
        raise SettingsError(f"a place is FILE:LINE:COL, counted from 1, not {place!r}")
    return Cursor(Path(match[1]), int(match[2]) - 1, int(match[3]) - 1)


def check_inside(cursor: Cursor, text: str) -> None:
    """Raise OpencoderError, with the file's own numbers, where the place is not in the text."""
    lines = LINE_END.split(text)
    if cursor.line >= len(lines):
        raise OpencoderError(f"{cursor.path} has {len(lines)} lines, not {cursor.line + 1}")
    columns = len(lines[cursor.line]) + 1
    if cursor.character >= columns:
        raise OpencoderError(
            f"line {cursor.line + 1} of {cursor.path} has {columns} columns to put a cursor in, "
            f"not {cursor.character + 1}"
        )


async def _complete(cursor: Cursor, text: str, pairs: Sequence[str]) -> str:
    async with ready_session(pairs) as session:
        session.open(cursor.path, language_of(cursor.path), text)
        return await session.complete(cursor)


def run_complete(place: str, pairs: Sequence[str], *, as_json: bool) -> int:
    """Print the suggestion at a place; 1 where there is none."""
    cursor = parse_place(place)
    from_process(pairs)  # a bad setting is wrong usage here, not a server that ended
    text = read_source(cursor.path)
    check_inside(cursor, text)
    suggestion = asyncio.run(_complete(cursor, text, pairs))
    if as_json:
        print_json({"text": suggestion})
    elif suggestion:
        sys.stdout.write(suggestion + "\n")
    else:
        errors.print("no suggestion here")
    return 0 if suggestion else 1
