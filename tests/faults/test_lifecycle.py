"""F15 to F22: how a session begins and ends, and what dies first."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from opencoder_lsp.lsp.framing import frame
from tests.fakes.engine import FakeEngine
from tests.faults.session import STATUS, URI, ask, chat, document, patched, suggested, works
from tests.protocol.raw import INITIALIZE, RawServer

# An editor that has started a server, and a helper that has the server's pipes, too.
EDITOR = """
import json, os, subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
pipes = [server.stdin.fileno(), server.stdout.fileno()]
wait = [sys.executable, "-c", "import threading; threading.Event().wait()"]
helper = subprocess.Popen(wait, pass_fds=pipes, stdout=subprocess.DEVNULL)
def send(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    server.stdin.write(b"Content-Length: %d\\r\\n\\r\\n%b" % (len(body), body))
    server.stdin.flush()
params = {"processId": os.getpid(), "rootUri": None, "capabilities": {}}
send({"id": 1, "method": "initialize", "params": params})
server.stdout.readline()
print(json.dumps([server.pid, helper.pid]), flush=True)
sys.stdin.read()
"""


@pytest.mark.fault("F16", "P5")
async def test_a_second_initialize_leaves_documents_open(raw: RawServer, fake: FakeEngine) -> None:
    async with raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", document("x = "))
        assert (await raw.request(1, "initialize", INITIALIZE))["error"]["code"] == -32600
        assert await suggested(raw, 2, ask(0, 4)) == "fake .answer"


@pytest.mark.fault("F15")
@pytest.mark.parametrize(
    "capabilities",
    [
        {"textDocument": {"publishDiagnostics": {"tagSupport": {"valueSet": [1, 2, 99]}}}},
        {"textDocument": {"semanticTokens": {}}, "general": {"regularExpressions": {}}},
        {"workspace": {"workspaceEdit": {"resourceOperations": ["of a later version"]}}},
        None,
    ],
)
async def test_an_editor_of_a_later_version_is_not_refused(
    raw: RawServer, capabilities: dict[str, Any] | None
) -> None:
    async with raw:
        response = await raw.initialize(capabilities=capabilities, trace="compact", clientInfo={})
        assert response["result"]["capabilities"]["inlineCompletionProvider"]


@pytest.mark.fault("F17", "P6")
async def test_everything_is_refused_after_shutdown_and_exit_is_0(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        await raw.request(1, "shutdown")
        for number, method in enumerate(("initialize", "shutdown", STATUS[0], "no/such"), 2):
            assert (await raw.request(number, method, {}))["error"]["code"] == -32600
        raw.send("exit")
        assert await raw.exited() == 0


def by_shutdown(raw: RawServer) -> None:
    raw.send("shutdown", request_id="shutdown")
    raw.send("exit")


def by_end_of_input(raw: RawServer) -> None:
    raw.close_input()


def by_sigterm(raw: RawServer) -> None:
    raw.process.send_signal(signal.SIGTERM)


@pytest.mark.fault("F18", "F19")
@pytest.mark.parametrize(("end", "code"), [(by_shutdown, 0), (by_end_of_input, 1), (by_sigterm, 0)])
async def test_every_end_in_mid_work_frees_the_engine(
    raw: RawServer, fake: FakeEngine, end: Callable[[RawServer], None], code: int
) -> None:
    async with raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", document("x = "))
        await suggested(raw, 0, ask(0, 4))
        fake.hold()
        raw.send("textDocument/inlineCompletion", ask(0, 2), 1)
        raw.send("workspace/executeCommand", chat("hello"), 2)
        await fake.paused(2)
        end(raw)
        assert await raw.exited() == code
    await fake.disconnected()
    await fake.until(lambda: fake.running == fake.leases == 0)  # some turns of the loop later


@pytest.mark.fault("F18", "P8")
@pytest.mark.parametrize(("end", "code"), [(by_shutdown, 0), (by_end_of_input, 1)])
async def test_a_thread_that_hangs_does_not_keep_the_server(
    env: dict[str, str], fake: FakeEngine, end: Callable[[RawServer], None], code: int
) -> None:
    hang = (
        "import sys, threading\n"
        "from opencoder_lsp.conversations.store import Store\n"
        "def hang(*arguments):\n"
        "    print('hanging', file=sys.stderr, flush=True)\n"
        "    threading.Event().wait()\n"
        "Store.summaries = hang\n"
    )
    async with patched(env, hang) as raw:
        await raw.initialize()
        raw.send("workspace/executeCommand", {"command": "opencoder.conversations"}, 1)
        await works(raw)
        end(raw)
        assert await raw.exited() == code
        assert "hanging" in await raw.errors()


@pytest.mark.fault("F20", "P9")
@pytest.mark.parametrize("killed", ["editor", "helper first"])
async def test_an_editor_that_is_killed_takes_its_server_along(
    env: dict[str, str], fake: FakeEngine, killed: str
) -> None:
    """Also where a helper of the editor's keeps the pipes open, and before `initialized`."""
    server = [sys.executable, "-m", "opencoder_lsp"]
    pipe = asyncio.subprocess.PIPE
    editor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", EDITOR, *server), stdin=pipe, stdout=pipe, env=env
    )
    assert editor.stdout is not None
    line = (await editor.stdout.readline()).decode().strip("[]\n")
    left, helper = (psutil.Process(int(pid)) for pid in line.split(","))
    try:
        if killed == "helper first":
            helper.kill()
        editor.kill()
        await editor.wait()
        await asyncio.to_thread(psutil.wait_procs, [left], 60)
        assert not left.is_running()
    finally:
        for process in (left, helper):
            if process.is_running():
                process.kill()


@pytest.mark.fault("F20", "P9")
async def test_an_editor_that_is_dead_already_or_dies_after_shutdown_is_noticed(
    raw: RawServer, env: dict[str, str], foreign: str | None
) -> None:
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    async with raw:
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
        raw.write(frame({**message, "params": {**INITIALIZE, "processId": child.pid}}))
        await raw.request(2, "shutdown")
        child.kill()
        await child.wait()
        assert await raw.exited() == 0  # in good order: it was shut down
    dead = RawServer([sys.executable, "-m", "opencoder_lsp"], env)
    async with dead:
        await dead.request(1, "initialize", {**INITIALIZE, "processId": child.pid})
        assert await dead.exited() == 1


@pytest.mark.fault("F20")
@pytest.mark.parametrize("process_id", [None, -1, "7", 0.5])
async def test_without_a_process_id_the_server_runs_on(raw: RawServer, process_id: object) -> None:
    async with raw:
        await raw.initialize(processId=process_id)
        await works(raw)


@pytest.mark.fault("F21", "P10")
async def test_a_closed_output_ends_the_server_that_has_nothing_to_say(
    raw: RawServer,
) -> None:
    async with raw:
        await raw.request(1, "initialize", INITIALIZE)
        raw.process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        assert await raw.exited() == 1


@pytest.mark.fault("F22", "P11")
async def test_while_nobody_reads_cancels_are_heard_and_memory_is_bounded(
    raw: RawServer, fake: FakeEngine
) -> None:
    count = 3000
    async with raw:
        await raw.initialize()
        fake.hold()
        raw.send("workspace/executeCommand", chat("hello"), "chat")
        await fake.paused()
        process = psutil.Process(raw.process.pid)
        before = process.memory_info().rss
        for number in range(count):
            raw.send(*STATUS, request_id=number)
        raw.send("$/cancelRequest", {"id": "chat"})
        await fake.cancelled()  # though no answer has been read: the pipe holds 100 of them
        assert process.memory_info().rss < before + 20_000_000
        for number in range(count):
            assert (await raw.response(number))["id"] == number
        await works(raw, "the end")


@pytest.mark.fault("F22")
async def test_a_log_that_nobody_reads_stops_nothing(env: dict[str, str], fake: FakeEngine) -> None:
    talk = (
        "import itertools, logging\n"
        "from opencoder_lsp.lsp.documents import Documents\n"
        "logging.basicConfig()\n"
        "numbers = itertools.count()\n"
        "def talk(*change):\n"
        "    logging.warning('%0100d', next(numbers))\n"
        "Documents.change = talk\n"
    )
    unread, stderr = os.pipe()
    try:
        async with patched(env, talk, stderr=stderr) as raw:
            await raw.initialize()
            identifier = {"uri": URI, "version": 1}
            for _ in range(5000):  # half a megabyte, of which the pipe holds 64 KiB
                change = {"textDocument": identifier, "contentChanges": [{"text": ""}]}
                raw.send("textDocument/didChange", change)
            await works(raw)
            await raw.request("end", "shutdown")
            raw.send("exit")
            assert await raw.exited() == 0
    finally:
        os.close(unread)
        os.close(stderr)
