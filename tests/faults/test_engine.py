"""F54 to F57: engine processes that die, hang or never come, as an editor sees it."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp.client.connection import GONE
from tests.client.conftest import Engines
from tests.fakes import engine_process
from tests.fakes.engine import FakeEngine
from tests.faults.session import RUN
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor

# The server starts stand-ins for the engine, which fail as `FAULT_FOLDER/wrong` says.
STAND_IN = """
import json, os, pathlib, sys
from opencoder_lsp.client import engine, starter
from opencoder_lsp.client.launcher import Launcher
folder = pathlib.Path(os.environ["FAULT_FOLDER"])
def stand_in(settings, model, socket):
    command = [sys.executable, os.environ["FAULT_ENGINE"], "--starts", str(folder / "starts")]
    command += ["--socket", str(socket), "--model", str(model.folder)]
    return command + json.loads((folder / "wrong").read_text())
patience = starter.Patience(word=float(os.environ.get("FAULT_WORD", "60")))
Launcher.__init__.__kwdefaults__.update(command=stand_in, backoff=0.0, patience=patience)
engine.LEASE_STALL = float(os.environ.get("FAULT_STALL", "1000"))
starter.HUNG_PATIENCE = 0.2
"""


@pytest.fixture
def command() -> list[str]:
    """Our server, which starts stand-ins."""
    return [sys.executable, "-c", STAND_IN + RUN]


@pytest.fixture
def env(engines: Engines, short: Path) -> dict[str, str]:
    """Its environment; there is no `engine.url`."""
    wrong(short)
    own = {"FAULT_FOLDER": str(short), "FAULT_ENGINE": engine_process.__file__}
    return {**os.environ, "OPENCODER_MODEL_NAME": str(engines.model), **own}


def wrong(folder: Path, *arguments: str) -> None:
    """Let engines that are started from now on fail."""
    (folder / "wrong").write_text(json.dumps(arguments))


def errors(editor: Editor) -> list[str]:
    return [m.message for m in editor.messages if m.type == types.MessageType.Error]


async def refused(request: Any) -> JsonRpcException:
    with pytest.raises(JsonRpcException) as error:
        await request
    return error.value


async def answer(editor: Editor) -> str:
    result = await editor.command("opencoder.chat", {"message": "Hello"})
    return str(result["text"])


@pytest.mark.fault("F56")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
async def test_an_engine_that_dies_in_mid_stream_is_an_error_and_the_next_request_starts_one(
    start: StartEditor, engines: Engines, short: Path, how: signal.Signals
) -> None:
    wrong(short, "--pause-after", "1")
    editor = await start()
    request = editor.send_command("opencoder.chat", {"message": "Hello", "token": "t"})
    await editor.until(lambda: "t" in editor.reports)
    wrong(short)
    os.kill(engines.started()[-1], how)
    error = await refused(request)
    assert error.code == -32803
    assert "stopped in the middle of its answer" in error.message
    assert await answer(editor) == "fake .answer"
    assert len(engines.started()) == 2


@pytest.mark.fault("F56")
async def test_that_an_idle_engine_has_died_is_said_at_once(
    editor: Editor, engines: Engines
) -> None:
    assert editor.statuses[-1].kind == "ready"
    await engines.kill()
    await editor.until(lambda: editor.statuses[-1].kind == "error")
    assert editor.statuses[-1].message == GONE
    status = await editor.command("opencoder.status")
    assert status["engine"]["health"] is None
    assert await answer(editor) == "fake .answer"
    await editor.until(lambda: editor.statuses[-1].kind == "ready")
    assert errors(editor) == []


@pytest.mark.fault("F56")
async def test_three_crashes_in_a_minute_end_in_one_message_until_the_user_restarts(
    editor: Editor, engines: Engines, short: Path
) -> None:
    editor.open("x = ")
    for _ in range(2):
        await engines.kill()
        assert await answer(editor) == "fake .answer"
    await engines.kill()
    for _ in range(5):
        assert await editor.invoke(0, 4) == []
    (shown,) = errors(editor)
    assert "has failed 3 times within a minute and is not started again" in shown
    error = await refused(editor.command("opencoder.chat", {"message": "Hello"}))
    assert error.code == -32803
    assert len(engines.started()) == 3
    await editor.command("opencoder.restartEngine")
    assert await answer(editor) == "fake .answer"
    assert len(await editor.invoke(0, 4)) == 1


@pytest.mark.fault("F56", "F60")
async def test_an_engine_that_cannot_load_is_not_started_for_ever(
    start: StartEditor, engines: Engines, short: Path
) -> None:
    wrong(short, "--load", "1", "--cause", "model.safetensors is damaged; run: pull")
    editor = await start(wait=False)
    await editor.until(lambda: errors(editor))
    editor.open("x = ")
    for _ in range(6):
        assert await editor.invoke(0, 4) == []
        await engines.kill()
    assert len(engines.started()) == 3
    assert "model.safetensors is damaged; run: pull" in errors(editor)[0]
    assert len(errors(editor)) == 1


@pytest.mark.fault("F54")
async def test_an_engine_that_hangs_fails_its_request_and_is_replaced(
    start: StartEditor, engines: Engines, short: Path
) -> None:
    beat = ("--beat", "0.2")  # else one that is well would count as hung, too
    wrong(short, *beat, "--pause-after", "1")
    editor = await start(env={"FAULT_STALL": "8", "FAULT_WORD": "8"})
    request = editor.send_command("opencoder.chat", {"message": "Hello", "token": "t"})
    await editor.until(lambda: "t" in editor.reports)
    wrong(short, *beat)
    (hung,) = engines.started()
    os.kill(hung, signal.SIGSTOP)
    error = await refused(request)
    assert error.code == -32803
    assert "sent nothing" in error.message
    assert await answer(editor) == "fake .answer"
    assert len(engines.started()) == 2
    assert not psutil.pid_exists(hung)


@pytest.mark.fault("F57")
async def test_servers_that_start_at_once_share_one_engine(
    start: StartEditor, engines: Engines
) -> None:
    editors = await asyncio.gather(*(start() for _ in range(4)))
    assert [await answer(editor) for editor in editors] == ["fake .answer"] * 4
    assert len(engines.started()) == 1


@pytest.mark.fault("F51")
async def test_a_restart_by_another_window_is_waited_for_without_a_message(
    start: StartEditor, engines: Engines
) -> None:
    one, other = await asyncio.gather(start(), start())
    other.open("x = ")
    await one.command("opencoder.restartEngine")
    assert len(await other.invoke(0, 4)) == 1
    assert len(engines.started()) == 2
    assert errors(one) + errors(other) == []


@pytest.mark.fault("F56")
async def test_a_server_that_is_killed_lets_its_engine_go(
    tokenizer_folder: Path, start: StartEditor, short: Path
) -> None:
    async with FakeEngine(short / "s") as fake:
        editor = await start(
            env={"OPENCODER_ENGINE_URL": fake.url, "OPENCODER_MODEL_NAME": str(tokenizer_folder)}
        )
        fake.pause_after(1)
        request = editor.send_command("opencoder.chat", {"message": "Hello"})
        await fake.paused()
        os.kill(editor.pid, signal.SIGKILL)
        await fake.leased(0)
        await fake.disconnected()
        assert await editor.exited() == -signal.SIGKILL
        request.cancel()
