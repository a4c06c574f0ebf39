"""The end of the editor's process, however it comes and whatever keeps us from looking."""

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from opencoder_lsp.lsp import parent
from opencoder_lsp.lsp.parent import parent_gone


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "_PERIOD", 0.001)


@pytest.fixture
def editor() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends with its input."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.fault("F20")
async def test_a_process_that_ends_is_gone_also_as_a_zombie(
    editor: "subprocess.Popen[bytes]",
) -> None:
    watching = asyncio.create_task(parent_gone(editor.pid))
    done, _ = await asyncio.wait({watching}, timeout=0.05)
    assert not done
    editor.kill()  # and nobody has waited for it: it is a zombie
    await watching


async def test_a_process_that_has_ended_before_is_gone(editor: "subprocess.Popen[bytes]") -> None:
    editor.kill()
    editor.communicate()
    await parent_gone(editor.pid)


async def test_a_number_that_no_process_can_have_is_not_watched() -> None:
    done, pending = await asyncio.wait({asyncio.create_task(parent_gone(-5))}, timeout=0.05)
    assert not done
    pending.pop().cancel()


@pytest.mark.fault("F20", "F62")
@pytest.mark.parametrize("where", ["__init__", "is_running", "status"])
async def test_not_being_able_to_look_is_no_end(
    monkeypatch: pytest.MonkeyPatch, editor: "subprocess.Popen[bytes]", where: str
) -> None:
    real, looks = getattr(psutil.Process, where), []

    def fail_twice(*arguments: object) -> object:
        looks.append(arguments)
        if len(looks) < 3:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        editor.kill()
        return real(*arguments)

    monkeypatch.setattr(psutil.Process, where, fail_twice)
    await parent_gone(editor.pid)
    assert len(looks) >= 3
