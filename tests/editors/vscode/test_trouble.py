"""What is missing, wrong or not to be trusted, and what VS Code's user hears of it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.editors.vscode.code_server import CodeServer, program
from tests.editors.vscode.window import opened
from tests.editors.vscode.workbench import MARKS, Workbench
from tests.fakes.engine import FakeEngine

pytestmark = MARKS

# A Python that makes "environments" without downloading anything.
_PYTHON = """\
#!/bin/sh
case "$1 $2" in
"-c "*) exit 0 ;;
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip") echo "Collecting opencoder-lsp" && cp "{program}" "$(dirname "$0")/opencoder-lsp" ;;
esac
"""


def work(home: Path, name: str) -> Path:
    """Make a folder to work in, with a file in it."""
    folder = home / "work" / name
    folder.mkdir(parents=True)
    (folder / "mean.py").write_text("import os\n", encoding="utf-8")
    return folder


async def test_a_newcomer_installs_the_server_and_is_led_by_the_walkthrough(
    browser: Any, server: CodeServer, engine: FakeEngine, home: Path
) -> None:
    real = home / ".local" / "bin" / "opencoder-lsp"
    hidden = real.with_name("hidden")
    real.rename(hidden)
    python = home / "python"
    python.write_text(_PYTHON.format(program=hidden), encoding="utf-8")
    python.chmod(0o755)
    server.set({"opencoder.server.python": str(python)})
    try:
        async with opened(browser, server, engine, work(home, "missing")) as person:
            await person.status("opencoder-lsp is not installed")
            message = await person.notification("opencoder-lsp is not installed")
            await person.picture("missing")
            await message.get_by_role("button", name="Install").click()
            await person.ready()
            await is_led(person)
    finally:
        hidden.rename(real)
        server.set({"opencoder.server.python": None})


async def is_led(person: Workbench) -> None:
    """Press every button of the walkthrough."""
    await person.command(">Welcome: Open Walkthrough...")
    await person.choose("Get Started with OpenCoder")
    steps = person.page.locator(".getting-started-step")
    await steps.filter(has_text="Chat").wait_for()
    assert await steps.count() == 4
    assert "`" not in "".join(await steps.all_inner_texts())

    async def does(step: str, name: str) -> None:
        chosen = steps.filter(has=person.page.get_by_role("heading", name=step))
        if await chosen.get_attribute("aria-expanded") != "true":
            await chosen.click()
        await person.picture(f"walkthrough-{step}")
        await chosen.get_by_role("button", name=name).click()

    await does("Suggestions as you type", "Turn them on or off")
    await person.status("suggestions are off")
    await does("Suggestions as you type", "Turn them on or off")
    await person.ready()
    async with person.another_server():
        await does("The language server", "Install it")
    await person.ready()
    await does("Chat", "Open the chat")
    await person.chat.get_by_role("textbox", name="Your question").wait_for()
    await does("The language server", "Is all well?")
    await person.page.locator(".tab").filter(has_text="Doctor.txt").wait_for()
    await person.page.locator(".view-lines").get_by_text("engine: fake is ready").wait_for()


async def test_a_server_of_another_version_is_named(
    browser: Any, server: CodeServer, engine: FakeEngine, home: Path
) -> None:
    other = program(home / "other", "import opencoder_lsp\nopencoder_lsp.__version__ = '99.1.0'")
    server.set({"opencoder.server.path": str(other)})
    try:
        async with opened(browser, server, engine, work(home, "version")) as person:
            await person.notification("opencoder-lsp is 99.1.0, and this extension needs")
    finally:
        server.set({"opencoder.server.path": None})


async def killed(pid: int) -> None:
    """Kill a process, and wait until it is gone."""
    process = psutil.Process(pid)
    process.kill()
    await asyncio.to_thread(process.wait, 60)


async def test_a_server_that_crashes_is_started_again_three_times_then_by_its_user(
    browser: Any, server: CodeServer, engine: FakeEngine, home: Path
) -> None:
    starts = home / "starts"
    note = f"import os; print(os.getpid(), file=open({str(starts)!r}, 'a'))"

    def pids() -> list[int]:
        return [int(line) for line in starts.read_text(encoding="utf-8").split()]

    server.set({"opencoder.server.path": str(program(home / "noted", note))})
    try:
        async with opened(browser, server, engine, work(home, "crashes")) as person:
            await person.ready()
            for count in (1, 2, 3):
                assert len(pids()) == count
                await killed(pids()[-1])
                # Only the next one can tell of this.
                engine.set_health(state="loading", progress=count / 10)
                await person.status(f"OpenCoder {count}0 %")
            await killed(pids()[-1])
            await person.notification("keeps ending")
            await person.status("the language server keeps ending")
            engine.set_health(state="ready", progress=1.0)
            await person.command("Restart Language Server")
            await person.ready()
            assert len(pids()) == 5
            await person.command(">Probe: Restart Five Times at Once")
            await person.notification("all five are done")
            await person.ready()
            assert len(pids()) in (6, 7)  # of those that wait for their turn, one is enough
    finally:
        engine.set_health(state="ready", progress=1.0)
        server.set({"opencoder.server.path": None})


@pytest.mark.fault("F64")
async def test_no_workspace_names_a_program_and_without_trust_nothing_is_started(
    browser: Any, server: CodeServer, engine: FakeEngine, home: Path
) -> None:
    folder = work(home, "hostile")
    trace = folder / "was-run"
    evil = folder / "evil"
    evil.write_text(f"#!/bin/sh\ntouch '{trace}'\n", encoding="utf-8")
    evil.chmod(0o755)
    settings = {
        "opencoder.server.path": str(evil),
        "opencoder.server.python": str(evil),
        "opencoder.engine.url": "http://127.0.0.1:9",
        "opencoder.model.name": "/nowhere",
    }
    (folder / ".vscode").mkdir()
    (folder / ".vscode" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    # Trusted, its settings still name nothing: the server is the user's own.
    async with opened(browser, server, engine, folder) as person:
        await person.ready()
    await engine.leased(0)
    server.set({"security.workspace.trust.enabled": True})
    try:
        async with opened(browser, server, engine, folder) as person:
            await person.status("off until you trust this workspace")
            assert engine.leases == 0
            assert not trace.exists()
            await person.command(">Workspaces: Manage Workspace Trust")
            await person.page.get_by_role("button", name="Trust", exact=True).first.click()
            await person.ready()
    finally:
        server.set({"security.workspace.trust.enabled": None})
    assert not trace.exists()
