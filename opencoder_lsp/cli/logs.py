"""`opencoder-lsp engine logs`: what the engine wrote, which holds no text of the user's."""

from collections import deque
from itertools import chain
from pathlib import Path

from opencoder_lsp.cli.terminal import errors
from opencoder_lsp.client.http import without_password
from opencoder_lsp.client.launcher import socket_path
from opencoder_lsp.client.log_file import log_path, older
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings


def show_log(settings: Settings, lines: int) -> int:
    """
    Print the last lines of this machine's engine's log, and on standard error where it is.

    Returns 1 where there is none. Raises ModelError where there is no model whose engine it could
    be.
    """
    if settings.engine.url:
        url = without_password(settings.engine.url)
        errors.print(f"the engine at {url} is not ours; its log is there", soft_wrap=True)
        return 1
    path = log_path(socket_path(registry.resolve(settings)))
    errors.print(str(path), soft_wrap=True)
    files = [file for file in (older(path), path) if file.exists()]
    if not files:
        errors.print("there is none yet: no engine has run")
        return 1
    for line in deque(chain.from_iterable(map(_lines, files)), maxlen=lines):
        print(line)
    return 0


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
