"""A code-server of a test's own: VS Code in the browser, with the extension installed."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.editors.vscode.installation import EXTENSION, ROOT, Installation

# Nothing that asks a question, fetches something, or completes in our place.
QUIET: dict[str, Any] = {
    "security.workspace.trust.enabled": False,
    "security.workspace.trust.startupPrompt": "never",
    "security.workspace.trust.banner": "never",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
    "workbench.enableExperiments": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.editor.enablePreview": False,
    "window.restoreWindows": "none",
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "git.enabled": False,
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.autoClosingBrackets": "never",
    "editor.autoIndent": "none",
    "editor.fontFamily": "DejaVu Sans Mono, monospace",
    "files.autoSave": "off",
    "files.hotExit": "off",
    # So that an answer in the fake engine's script goes to what a test asks for.
    "opencoder.completion.ahead": False,
    "chat.disableAIFeatures": True,
}

# In a window whose files are on another machine, as all windows are here, VS Code takes settings of
# the scope "machine" from that machine's file, and from the user's only until it knows the scope.
_MACHINE = {
    name
    for section in json.loads((EXTENSION / "package.json").read_bytes())["contributes"][
        "configuration"
    ]
    for name, setting in section["properties"].items()
    if setting["scope"] == "machine"
}


@dataclass
class CodeServer:
    """A code-server that runs, and the folder with the user's data."""

    url: str
    data: Path

    def address(self, folder: Path) -> str:
        """Return the address of a window with a folder."""
        return f"{self.url}/?folder={quote(str(folder))}"

    def set(self, changes: Mapping[str, Any]) -> None:
        """
        Change the user's settings for windows that are loaded from now on; None stands for ours.

        A window that is open sees nothing: what watches files is native code that is not installed.
        """
        for kind, own in (("User", False), ("Machine", True)):
            file = self.data / kind / "settings.json"
            settings = json.loads(file.read_text(encoding="utf-8"))
            for name, value in changes.items():
                if (name in _MACHINE) is own:
                    settings[name] = QUIET.get(name) if value is None else value
            kept = {name: value for name, value in settings.items() if value is not None}
            file.write_text(json.dumps(kept), encoding="utf-8")


_LISTENING = re.compile(rb"HTTP server listening on (http://127\.0\.0\.1:\d+)/")

# Run before a server, whose further choices then may take as long as a busy machine does.
PATIENT = (
    "from opencoder_lsp.lsp.habits import Habits\n"
    "object.__setattr__(Habits.patience, 'others', 60.0)"
)


def program(folder: Path, before: str = "") -> Path:
    """Write a program `opencoder-lsp` that runs this project; `before` is Python to run first."""
    path = folder / "opencoder-lsp"
    folder.mkdir(parents=True, exist_ok=True)
    code = f"{before}\nfrom opencoder_lsp.cli.main import main\nmain()\n"
    (folder / "opencoder_lsp_program.py").write_text(code, encoding="utf-8")
    # exec, so that the editor's child is the server itself.
    script = f'#!/bin/sh\nexec "{sys.executable}" "{folder}/opencoder_lsp_program.py" "$@"\n'
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
    return path


@asynccontextmanager
async def code_server(
    installed: Installation, extensions: Sequence[Path], home: Path, environment: Mapping[str, str]
) -> AsyncIterator[CodeServer]:
    """Run a code-server, with these extensions, whose user lives in `home`."""
    data = home / "data"
    for kind, settings in (("User", QUIET), ("Machine", {})):
        (data / kind).mkdir(parents=True)
        (data / kind / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    folders: list[str | Path] = ["--user-data-dir", data, "--extensions-dir", home / "extensions"]
    command = installed.command(*folders, "--config", home / "config.yaml")
    path = os.pathsep.join([str(installed.node.parent), os.environ["PATH"]])
    env = {**os.environ, "HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT), **environment}
    env |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    env["NO_PROXY"] = "127.0.0.1,localhost"  # so there is no network but this machine
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        env[name] = str(home / name.lower())
    wanted = (word for one in extensions for word in ("--install-extension", str(one)))
    await _install([*command, *wanted], env)
    options = ["--auth", "none", "--bind-addr", "127.0.0.1:0", "--disable-telemetry"]
    options += ["--disable-update-check", "--disable-getting-started-override", "--disable-proxy"]
    process = await asyncio.create_subprocess_exec(
        *(*command, *options),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    rest: asyncio.Task[bytes] | None = None
    try:
        server = CodeServer(await _address(process.stdout), data)
        rest = asyncio.create_task(process.stdout.read())
        yield server
    finally:
        await _end(process)
        if rest is not None:
            rest.cancel()


async def _install(command: list[str], env: Mapping[str, str]) -> None:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, env=env, stdout=pipe, stderr=pipe)
    out, err = await child.communicate()
    assert child.returncode == 0, (out + err).decode()


async def _address(output: asyncio.StreamReader) -> str:
    """Return where code-server says that it listens: on a port that was free when it took it."""
    said = b""
    async for line in output:
        said += line
        if found := _LISTENING.search(line):
            return found[1].decode()
    raise AssertionError(f"code-server has ended:\n{said.decode()}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the whole group: extension hosts and language servers outlive code-server a while."""
    for number, tries in ((signal.SIGTERM, 200), (signal.SIGKILL, 100)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        for _ in range(tries):
            if process.returncode is not None and not _lives(process.pid):
                return
            await asyncio.sleep(0.05)
    raise AssertionError("code-server's processes do not end")


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
