"""`opencoder-lsp engine logs`: what the engine wrote, which holds no text of the user's."""

from collections import deque
from itertools import chain
from pathlib import Path

from opencoder_lsp.cli.terminal import errors
from opencoder_lsp.client.http import without_password
from opencoder_lsp.client.launcher import socket_path
from opencoder_lsp.client.log_file import log_path, older
from opencoder_lsp.client.roles import by_engine, called
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings


def show_log(settings: Settings, lines: int) -> int:
    """
    Print the last lines of the log of this machine's engine, and on standard error where it is.

    Where each role has an engine of its own, of both. Returns 1 where one is missing. Raises
    ModelError where there is no model whose engine it could be.
    """
    return max(_show(own, called(roles), lines) for roles, own in by_engine(settings))


def _show(settings: Settings, what: str, lines: int) -> int:
    if settings.engine.url:
        url = without_password(settings.engine.url)
        errors.print(f"the {what} at {url} is not ours; its log is there", soft_wrap=True)
        return 1
    path = log_path(socket_path(registry.resolve(settings)))
    errors.print(str(path), soft_wrap=True)
    files = [file for file in (older(path), path) if file.exists()]
    if not files:
        errors.print(f"there is none yet: no {what} has run")
        return 1
    for line in deque(chain.from_iterable(map(_lines, files)), maxlen=lines):
        print(line)
    return 0


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
