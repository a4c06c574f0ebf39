"""F34 to F36 and S1 to S7: there is no port, so that no other client and no web page comes in."""

import os
import stat

import psutil
import pytest

from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.client.launcher import Launcher, running_engine, socket_path
from tests.fakes.engine import FakeEngine
from tests.faults.session import ask, chat, document, patched, suggested
from tests.protocol.editor import Editor

# Tells of everything that would leave the machine, and does not let it.
NO_NETWORK = """
import socket, sys
NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
def refuse(event, arguments):
    outside = event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg") and (
        arguments[0].family != socket.AF_UNIX
    )
    if outside or event in NAMES:
        print("NETWORK", event, file=sys.stderr, flush=True)
        raise PermissionError("no network")
sys.addaudithook(refuse)
"""
EXPLAIN = {
    "uri": document("")["textDocument"]["uri"],
    "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}},
}


def ports(pid: int) -> list[object]:
    """Every connection and every listening socket that is not on this machine's file system."""
    return list(psutil.Process(pid).net_connections(kind="inet"))


@pytest.mark.fault("F34", "F35", "F36", "P19", "P20", "S1", "S2", "S3", "S4", "S15", "S20")
async def test_the_language_server_has_no_port(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ")
    await editor.complete(0, 4)
    await editor.command("opencoder.chat", {"message": "Hello"})
    assert ports(editor.pid) == []
    listening = psutil.Process(editor.pid).net_connections(kind="unix")
    assert not [one for one in listening if one.status == "LISTEN" or one.laddr]


@pytest.mark.fault("F34", "S1", "S2", "S3", "S4", "S15", "S20")
async def test_the_engine_has_no_port_and_one_socket_of_its_owner_s(
    launcher: Launcher,
) -> None:
    client = await launcher.client()
    async with client.complete(CompletionRequest(prompt=[1, 2], max_tokens=2)) as stream:
        assert [piece async for piece in stream]
    engine = running_engine(socket_path(launcher.model()))
    assert engine is not None
    assert ports(engine.pid) == []
    socket = socket_path(launcher.model())
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert socket.parent.stat().st_uid == os.getuid()
    named = {str(one.laddr) for one in psutil.Process(engine.pid).net_connections(kind="unix")}
    assert named - {""} == {str(socket)}


@pytest.mark.fault("F66", "S16")
async def test_without_a_network_everything_works_and_nobody_tries_it(
    env: dict[str, str], fake: FakeEngine
) -> None:
    prompt = "x =   # https://example.com/a.png ![](http://example.com/b.png)"
    async with patched(env, NO_NETWORK) as raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", document(prompt))
        assert await suggested(raw, 1, ask(0, 4)) == "fake .answer"
        explain = {"command": "opencoder.explain", "arguments": [EXPLAIN]}
        for number, params in enumerate((chat(prompt), explain), 2):
            answer = await raw.request(number, "workspace/executeCommand", params)
            assert answer["result"]["text"] == "fake .answer"
        await raw.request("end", "shutdown")
        raw.send("exit")
        assert await raw.exited() == 0
        assert "NETWORK" not in await raw.errors()


@pytest.mark.fault("F66")
async def test_that_the_network_is_watched_would_be_seen(env: dict[str, str]) -> None:
    loud = NO_NETWORK + "try: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass\n"
    async with patched(env, loud) as raw:
        await raw.initialize()
        raw.close_input()
        await raw.exited()
        assert "NETWORK" in await raw.errors()
