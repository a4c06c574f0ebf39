"""
Files of the workspace by a part of their names, for who writes `@` in a question.

What may not be gathered for a prompt (`opencoder_lsp.prompt.privacy`) is not offered either.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.lsp.arguments import FilesArguments, parse
from opencoder_lsp.prompt.files import stamp_of
from opencoder_lsp.prompt.ignoring import ignored_by_git
from opencoder_lsp.prompt.privacy import may_send

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

_MOST_SEEN = 50_000  # files and folders that are looked at in one folder of the workspace
_FRESH = 5.0  # seconds after which the folders are looked at again
_PASSED_OVER = {".git", ".hg", ".svn", "node_modules", "__pycache__"}


async def files(ls: "Server", params: types.ExecuteCommandParams) -> list[dict[str, str]]:
    """`{text?, most?}` → `[{uri, path}]`, the likeliest first; "" finds all, open ones first."""
    arguments = parse(FilesArguments, params.command, params.arguments)
    folders, settings = ls.workspace_folders.paths, ls.configuration.settings
    uris = {ls.workspace_folders.file_path(document.uri): document.uri for document in ls.documents}

    def found() -> list[str]:
        likeliest = named(arguments.text, folders, uris.keys())
        allowed = (path for path in likeliest if may_send(path, settings, folders, gathered=True))
        return list(islice(allowed, arguments.most))

    paths = await asyncio.to_thread(found)
    shown = [(uris.get(path) or Path(path).as_uri(), path) for path in paths]
    return [{"uri": uri, "path": ls.workspace_folders.shown_path(uri)} for uri, path in shown]


def named(text: str, folders: Sequence[str], opened: Collection[str]) -> list[str]:
    """
    Return the paths of files whose names have `text` in them, whatever its case.

    Those whose own name begins with it come first, then those that have it in their own name, in
    the path below their folder; among equals open files, then those with a short path.
    """
    wanted, ranked = text.lower(), list[tuple[int, bool, int, str]]()
    for folder in folders:
        for below in _files(folder, int(time.monotonic() / _FRESH)):
            rank = _rank(wanted, below.lower())
            if rank is not None:
                path = os.path.join(folder, below)
                ranked.append((rank, path not in opened, len(below), path))
    return list(dict.fromkeys(path for *_, path in sorted(ranked)))


def _rank(wanted: str, below: str) -> int | None:
    place = below.rfind(wanted)
    if place < 0:
        return None
    start = below.rfind("/") + 1
    if below.startswith(wanted, start) or below.startswith(wanted):
        return 0
    return 1 if place > start else 2


@lru_cache(8)
def _files(folder: str, _when: int) -> tuple[str, ...]:
    """Return the paths of files below a folder, as of a time that makes an older answer stale."""
    return tuple(_walk(folder))


def _walk(folder: str) -> Iterator[str]:
    """Yield what is near the top first, and nothing out of folders that git leaves out."""
    waiting, seen = deque([""]), 0
    while waiting:
        below = waiting.popleft()
        try:
            entries = list(os.scandir(os.path.join(folder, below)))
        except OSError:  # it has gone meanwhile, or is closed to us
            continue
        for entry in entries:
            seen += 1
            if seen > _MOST_SEEN:
                return
            if stamp_of(entry.path) is not None:
                yield below + entry.name
            elif _is_looked_into(entry):
                waiting.append(f"{below}{entry.name}/")


def _is_looked_into(entry: os.DirEntry[str]) -> bool:
    if not entry.is_dir(follow_symlinks=False) or entry.name in _PASSED_OVER:
        return False
    return not ignored_by_git(entry.path, is_folder=True)
