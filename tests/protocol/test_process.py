"""The server as a process: its end, its pipes, and what is not in it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor
from tests.protocol.raw import RawServer

HEAVY = ("torch", "transformers", "safetensors")
SECRET = "correct horse battery staple"


def mapped_files(pid: int) -> list[str]:
    if not sys.platform.startswith("linux"):
        pytest.skip("this system does not say which libraries a process has loaded")
    return [mapping.path for mapping in psutil.Process(pid).memory_maps()]


def logs_with(text: str, folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*.log*") if path.is_file()]
    return [path for path in files if text in path.read_text()]


async def test_torch_is_not_in_the_process_after_a_completion(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ")
    assert len(await editor.complete(0, 4)) == 1
    assert not [path for path in mapped_files(editor.pid) if "libtorch" in path]


def test_nothing_heavy_is_imported_for_the_answer_to_initialize() -> None:
    code = (
        "import json, sys\n"
        "from opencoder_lsp.lsp.server import create_server\n"
        "from opencoder_lsp.settings import Settings\n"
        "create_server(Settings())\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {*HEAVY, "tokenizers", "aiohttp", "huggingface_hub", "starlette"}


@pytest.mark.fault("F34", "F35", "F36", "S15")
async def test_the_server_listens_on_no_port(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ")
    await editor.complete(0, 4)
    assert psutil.Process(editor.pid).net_connections(kind="inet") == []


@pytest.mark.fault("P14")
async def test_sigterm_ends_the_server_in_order(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ")
    fake.pause_after(1)
    request = editor.ask(0, 4)
    await fake.paused()
    os.kill(editor.pid, signal.SIGTERM)
    assert await editor.exited() == 0
    await fake.leased(0)
    await fake.disconnected()
    request.cancel()


@pytest.mark.fault("F19")
async def test_the_end_of_input_ends_the_server_in_mid_stream(
    raw: RawServer, fake: FakeEngine
) -> None:
    async with raw:
        await raw.initialize()
        raw.send("workspace/executeCommand", _chat("Hello"), 1)
        fake.pause_after(1)
        await fake.paused()
        raw.close_input()
        assert await raw.exited() == 1
    await fake.disconnected()


@pytest.mark.fault("F21", "P10")
async def test_the_server_ends_when_nobody_reads_what_it_writes(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        transport = raw.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()
        raw.send("no/such/method", request_id=1)  # not "shutdown", after which 0 would be right
        assert await raw.exited() == 1


@pytest.mark.fault("F20", "P9")
async def test_the_server_ends_with_the_editor_s_process(
    raw: RawServer, foreign: str | None
) -> None:
    if foreign:
        pytest.skip("not every server watches its client's process")
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    async with raw:
        await raw.initialize(processId=child.pid)
        child.kill()
        assert await raw.exited() == 1
    await child.wait()


async def test_what_is_printed_does_not_reach_the_editor(
    env: dict[str, str], raw: RawServer
) -> None:
    code = (
        "import sys, threading, os\n"
        "from opencoder_lsp.lsp import server\n"
        "from opencoder_lsp.settings import from_process\n"
        "connect = server.Server._connect\n"
        "async def noisy(self):\n"
        "    print('noise'); sys.stdout.flush(); os.write(1, b'more noise')\n"
        "    await connect(self)\n"
        "server.Server._connect = noisy\n"
        "sys.exit(server.run(from_process()))\n"
    )
    noisy = RawServer([sys.executable, "-c", code], env)
    async with noisy:
        await noisy.initialize()
        await noisy.request(1, "shutdown")
        noisy.send("exit")
        assert await noisy.exited() == 0
        assert "noise" in await noisy.errors()


@pytest.mark.fault("F66")
async def test_no_text_of_the_user_is_logged(
    raw: RawServer, env: dict[str, str], fake: FakeEngine, home: Path
) -> None:
    verbose = RawServer([sys.executable, "-m", "opencoder_lsp", "--verbose"], env)
    uri = "file:///project/a.py"
    item = {"uri": uri, "languageId": "python", "version": 2, "text": f"x = '{SECRET}'\n"}
    place = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 0}}
    change = {"textDocument": {"uri": uri, "version": None}, "contentChanges": [{"text": SECRET}]}
    fake.error_mid_stream("failed", text=SECRET)
    async with verbose:
        await verbose.initialize()
        verbose.send("textDocument/didOpen", {"textDocument": item})
        verbose.send("textDocument/didOpen", {"textDocument": item})
        await verbose.request(1, "workspace/executeCommand", _chat(SECRET))
        await verbose.request(2, "textDocument/inlineCompletion", {**place, "context": SECRET})
        verbose.send("textDocument/didChange", change)
        verbose.send("workspace/didChangeConfiguration", {"settings": {"opencoder": {SECRET: 1}}})
        verbose.write(b"Content-Length: 30\r\n\r\n" + SECRET.encode() + b"!!")
        await verbose.request(3, "shutdown")
        verbose.send("exit")
        await verbose.exited()
        log = await verbose.errors()
    assert "opened twice" in log
    assert SECRET not in log
    assert logs_with(SECRET, home) == []


@pytest.mark.fault("F66")
async def test_what_an_engine_quotes_of_the_user_s_text_is_not_logged(
    env: dict[str, str], fake: FakeEngine, home: Path
) -> None:
    verbose = RawServer([sys.executable, "-m", "opencoder_lsp", "--verbose"], env)
    item = {"uri": "file:///project/a.py", "languageId": "python", "version": 1, "text": "x = "}
    ask = {"textDocument": {"uri": item["uri"]}, "position": {"line": 0, "character": 4}}
    async with verbose:
        await verbose.initialize()
        verbose.send("textDocument/didOpen", {"textDocument": item})
        for number, status in enumerate((400, 429, 503, 500)):
            fake.fail_with(status, f"cannot go on with {SECRET}")
            params = {**ask, "context": {"triggerKind": 1}}
            answer = await verbose.request(number, "textDocument/inlineCompletion", params)
            assert answer["result"] is None
        await fake.requested(4)
        fake.fail_with(400, f"cannot go on with {SECRET}")
        error = (await verbose.request(4, "workspace/executeCommand", _chat(SECRET)))["error"]
        assert SECRET in error["message"]
        await verbose.request(5, "shutdown")
        verbose.send("exit")
        await verbose.exited()
        log = await verbose.errors()
    assert "trouble: InvalidRequestError" in log
    assert "no completion now: EngineBusyError" in log
    assert SECRET not in log
    assert logs_with(SECRET, home) == []


@pytest.mark.fault("F08", "P2")
async def test_bytes_that_are_no_message_are_answered_and_passed_over(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        raw.write(b"Content-Length: 5\r\n\r\nnope!")
        while (answer := await raw.receive()).get("error") is None:
            pass
        assert (answer["id"], answer["error"]["code"]) == (None, -32700)
        for body in (b"[]", b"5", b'{"jsonrpc":"1.0"}', b'{"jsonrpc":"2.0","id":{},"method":"m"}'):
            raw.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            while (answer := await raw.receive()).get("error") is None:
                pass
            assert (answer["id"], answer["error"]["code"]) == (None, -32600)
        assert (await raw.request(1, "shutdown"))["result"] is None


@pytest.mark.fault("F14")
async def test_a_response_to_nothing_is_passed_over(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        for body in (b'{"jsonrpc":"2.0","id":99,"result":1}', b'{"jsonrpc":"2.0","id":null}'):
            raw.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert (await raw.request(1, "shutdown"))["result"] is None


@pytest.mark.fault("F22")
async def test_an_editor_that_reads_late_gets_every_answer(
    start: StartEditor, fake: FakeEngine, raw: RawServer
) -> None:
    async with raw:
        await raw.initialize()
        text = "x = 1\n" * 2000
        item = {"uri": "file:///project/a.py", "languageId": "python", "version": 1, "text": text}
        raw.send("textDocument/didOpen", {"textDocument": item})
        fake.answer("word " * 60)
        for number in range(2000):
            raw.send("workspace/executeCommand", {"command": "opencoder.status"}, number)
        assert raw.process.stdin is not None
        await raw.process.stdin.drain()
        answered = [(await raw.response(number))["id"] for number in range(2000)]
    assert answered == list(range(2000))


def _chat(message: str) -> dict[str, object]:
    return {"command": "opencoder.chat", "arguments": [{"message": message}]}
