"""
Answers that the server shows itself, since editors drop the result of a code action's command.

As a document `opencoder:` where the editor can ask for its text (LSP 3.18,
`workspace/textDocumentContent`), else as a Markdown file, else as a message.
"""

import contextlib
import logging
import os
import re
import time
import uuid
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp import paths
from opencoder_lsp.errors import OpencoderError

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

SCHEME = "opencoder"
_KEPT = 50  # answers, in memory and as files
_SHORT_LIVED = 24 * 3600  # seconds that another session's file is kept


class Answers:
    """The texts of `opencoder:` documents, the newest ones."""

    def __init__(self) -> None:
        self._texts = OrderedDict[str, str]()

    def add(self, name: str, text: str) -> str:
        """Keep a text and return its URI."""
        uri = f"{SCHEME}:/{quote(name)}"
        self._texts[uri] = text
        while len(self._texts) > _KEPT:
            self._texts.popitem(last=False)
        return uri

    def get(self, uri: str) -> str:
        """Return a text; a note where it is not known any more."""
        return self._texts.get(uri, "This answer is not kept any more.\n")


async def show_answer(ls: "Server", title: str, text: str) -> None:
    """Show an answer in the best way that the client has."""
    document = f"# {title}\n\n{text.strip()}\n"
    name = re.sub(r"[^\w .-]", "-", f"{title[:80]} {uuid.uuid4().hex[:8]}.md")
    if ls.shows_documents:
        uri = (
            ls.answers.add(name, document) if ls.reads_virtual_documents else _file(name, document)
        )
        if uri is not None and await _shown(ls, uri):
            return
    message = types.ShowMessageParams(types.MessageType.Info, f"{title}\n\n{text.strip()}")
    ls.window_show_message(message)


def _file(name: str, text: str) -> str | None:
    try:
        return write(name, text).as_uri()
    except (OSError, OpencoderError) as error:  # the answer must not be lost with the disk
        log.warning("an answer could not be written: %s", error)
        return None


async def _shown(ls: "Server", uri: str) -> bool:
    try:
        result = await ls.window_show_document_async(
            types.ShowDocumentParams(uri=uri, take_focus=False)
        )
    except JsonRpcException:
        log.info("the client could not show a document")
        return False
    return result.success


def write(name: str, text: str) -> Path:
    """Write an answer into a file of its own, which only this user can read; prune old ones."""
    folder = paths.private(paths.cache()) / "answers"
    paths.private(folder)
    _prune(folder)
    path = folder / name
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _prune(folder: Path) -> None:
    files = list[tuple[float, Path]]()
    for path in folder.glob("*.md"):
        with contextlib.suppress(FileNotFoundError):  # another server was faster
            files.append((path.stat().st_mtime, path))
    now = time.time()
    for number, (written, path) in enumerate(sorted(files, reverse=True)):
        if number >= _KEPT or now - written > _SHORT_LIVED:
            path.unlink(missing_ok=True)


async def text_document_content(
    ls: "Server", params: types.TextDocumentContentParams
) -> types.TextDocumentContentResult:
    """Answer the editor's question for the text of an `opencoder:` document."""
    return types.TextDocumentContentResult(ls.answers.get(params.uri))
