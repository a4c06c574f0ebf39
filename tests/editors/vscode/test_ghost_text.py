"""Suggestions as you type, in VS Code: what is shown, taken, and written to the disk."""

import os
import signal
import statistics
from pathlib import Path

import psutil

from tests.benchmarks.vscode import KEYS, rounds, server_times
from tests.editors.vscode.workbench import MARKS, Workbench

pytestmark = MARKS


async def add(person: Workbench, before: str = "import os\n\n", name: str = "mean.py") -> Path:
    """Type the head of a function at the end of a file, and wait for its body in grey."""
    file = await person.open(before, name)
    person.engine.default = "return a + b\n"
    await person.press("Control+End")
    await person.type("def add(a, b): ")
    await person.ghost("return a + b")
    return file


async def test_ghost_text_appears_and_tab_takes_all_of_it(person: Workbench) -> None:
    file = await add(person)
    await person.picture("ghost-text")
    person.engine.default = ""  # behind it, where VS Code asks at once
    await person.press("Tab")
    await person.no_ghost()
    assert await person.save(file) == b"import os\n\ndef add(a, b): return a + b"


async def test_several_lines_are_taken_byte_for_byte_with_the_files_own_line_ends(
    person: Workbench,
) -> None:
    file = await person.open("# é 😀\r\n".encode(), "crlf.py")
    person.engine.default = '"""Add 😀."""\n    return a + b\n'
    await person.press("Control+End")
    await person.type("def add(a, b):\n    ")
    await person.ghost("Add 😀")
    person.engine.default = ""
    await person.press("Tab")
    await person.no_ghost()
    wanted = '# é 😀\r\ndef add(a, b):\r\n    """Add 😀."""\r\n    return a + b'
    assert await person.save(file) == wanted.encode()


async def test_a_line_is_taken_alone(person: Workbench) -> None:
    file = await person.open("import os\n\n")
    person.engine.default = "total = a + b\n    return total\n"
    await person.press("Control+End")
    await person.type("def add(a, b):\n    ")
    await person.ghost("return total")
    await person.press("Control+Alt+ArrowRight", "Escape")
    saved = (await person.save(file)).decode()
    assert saved.rstrip() == "import os\n\ndef add(a, b):\n    total = a + b"


async def test_a_word_is_taken_typing_on_keeps_the_rest_and_another_key_drops_it(
    person: Workbench,
) -> None:
    file = await add(person)
    await person.press("Control+ArrowRight")
    await person.ghost_is(" a + b")
    await person.type(" a")
    await person.ghost_is(" + b")
    person.engine.default = "/ 2\n"
    await person.type("b")
    await person.ghost_is("/ 2")
    await person.press("Escape")
    await person.no_ghost()
    assert await person.save(file) == b"import os\n\ndef add(a, b): return ab"


async def test_the_user_chooses_among_several_suggestions(person: Workbench) -> None:
    await person.open("x = \n")
    await person.press("End")
    person.engine.answer("one()\n")
    person.engine.answer("two()\n", others=["three()\n"])
    await person.press("Alt+\\")
    await person.ghost("one()")
    await person.press("Alt+]")
    await person.ghost("two()")
    await person.press("Alt+[")
    await person.ghost("one()")


async def test_suggestions_are_turned_off_and_on_everywhere_and_in_a_language(
    person: Workbench,
) -> None:
    await add(person)
    for title, reason in (
        ("Turn Suggestions On or Off", "suggestions are off"),
        ("Turn Suggestions On or Off in This Language", "suggestions are off in python"),
    ):
        await person.command(title)
        await person.status(reason)
        before = person.asked()
        await person.type("\ndef sub(a, b): ")
        await person.no_ghost()
        await person.command(title)
        await person.status("is ready")
        assert person.asked() == before
        await person.type("\ndef mul(a, b): ")
        await person.ghost("return a + b")
        assert person.asked() > before


async def test_suggestions_are_snoozed_and_woken_up(person: Workbench) -> None:
    await add(person)
    await person.command("Snooze Suggestions…")
    await person.choose("15 minutes")
    await person.status("snoozed until")
    await person.no_ghost()
    await person.command("Snooze Suggestions…")
    await person.choose("Wake up")
    await person.status("is ready")


async def test_the_status_bar_counts_while_the_model_loads(person: Workbench) -> None:
    person.engine.set_health(state="loading", progress=0.42)
    await person.command("Restart Language Server")
    await person.status("42 %")
    await person.status("loading")
    person.engine.set_health(state="ready", progress=1.0)
    await person.ready()
    await add(person)


async def test_an_engine_that_is_killed_is_named_and_one_that_is_back_is_used(
    person: Workbench,
) -> None:
    await person.open("import os\n\n")
    person.engine.default = "return a + b\n"
    person.engine.set_health(state="error", cause="the GPU has gone")
    await person.status("the GPU has gone")
    await person.command("Show Menu")
    await person.choose("Open log")
    log = person.page.locator(".part.panel").get_by_role("combobox").filter(has_text="OpenCoder")
    await log.wait_for()
    await person.press("Control+j")
    await log.wait_for(state="hidden")
    person.engine.set_health(state="ready", cause=None)
    person.engine.abort_connections()
    await person.press("Control+End")
    await person.type("def add(a, b): ")
    await person.press("Alt+\\")
    await person.ghost("return a + b")
    await person.ready()


async def test_a_language_server_that_is_killed_is_started_again(
    person: Workbench, home: Path
) -> None:
    await add(person)
    [old] = servers(home)
    async with person.another_server():
        os.kill(old.pid, signal.SIGKILL)
    await person.ready()
    [new] = servers(home)
    assert new.pid != old.pid
    await person.type("\ndef sub(a, b): ")
    await person.ghost("return a + b")


async def test_ghost_text_comes_with_a_key_and_how_fast_is_printed(
    person: Workbench, home: Path, key_times: list[str]
) -> None:
    seen, server = await rounds(person), server_times(home / "opencoder")
    assert len(seen) == len(server) == KEYS
    median, own = statistics.median(seen), statistics.median(server)
    key_times.append(f"VS Code: key to screen {median:.0f} ms, server {own:.0f} ms (medians)")


def servers(home: Path) -> list[psutil.Process]:
    """Return the language servers of a home."""
    return [
        process
        for process in psutil.process_iter()
        if str(home / ".local" / "bin" / "opencoder_lsp_program.py") in _command(process)
    ]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended meanwhile
        return []
