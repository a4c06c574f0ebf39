"""`opencoder-lsp serve` from its first line to its last."""

import asyncio
import json
import signal
import socket
import urllib.request
from pathlib import Path

import aiohttp
import pytest

from opencoder_lsp.api.server import Protocol
from opencoder_lsp.cli.serve import Options, Told, policy_of
from opencoder_lsp.client.connection import Status
from opencoder_lsp.client.engine import EngineClient
from opencoder_lsp.errors import SettingsError
from tests.api.conftest import HELLO, Api
from tests.api.process import ServeProcess, run
from tests.fakes.engine import FakeEngine

KEY = "me:0123456789abcdef0123"


def keys_file(folder: Path, text: str = KEY, mode: int = 0o600) -> Path:
    file = folder / "keys"
    file.write_text(text)
    file.chmod(mode)
    return file


def ask(process: ServeProcess, **body: object) -> bytes:
    data = json.dumps({"messages": HELLO, **body}).encode()
    request = urllib.request.Request(f"{process.url}/chat/completions", data)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as response:
        read: bytes = response.read()
        return read


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_says_where_it_is_and_for_whom_and_ends_with_0(
    process: ServeProcess, number: signal.Signals, fake: FakeEngine
) -> None:
    assert f"http://127.0.0.1:{process.port}/v1" in process.lines[0]
    assert "programs on this machine" in process.lines[1]
    assert process.lines[3] == "tiny is ready\n"
    assert json.loads(await asyncio.to_thread(ask, process))["choices"]
    assert await process.end(number) == 0
    assert process.lines[4:] == ["stopped\n"]
    await fake.disconnected()


async def test_what_is_under_way_may_end_before_the_server_does(
    process: ServeProcess, fake: FakeEngine
) -> None:
    fake.pause_after(1)
    asking = asyncio.create_task(asyncio.to_thread(ask, process))
    await fake.paused()
    process.signal(signal.SIGTERM)
    ended = asyncio.create_task(process.ended())
    fake.resume()
    assert json.loads(await asking)["choices"][0]["message"]["content"] == "fake .answer"
    assert await ended == 0


async def test_a_second_signal_ends_it_at_once(process: ServeProcess, fake: FakeEngine) -> None:
    fake.pause_after(1)
    asking = asyncio.create_task(asyncio.to_thread(ask, process, stream=True))
    await fake.paused()
    client = EngineClient(process.url)
    async with client.events() as healths:
        process.signal(signal.SIGINT)
        assert [health.state async for health in healths][-1] == "draining"
    await client.close()
    process.signal(signal.SIGINT)
    assert await process.ended() == 0
    await fake.cancelled()
    assert b"[DONE]" not in await asking


@pytest.mark.fault("F40", "S4")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.lan"])
@pytest.mark.parametrize("missing", ["--allow-remote", "--api-keys-file"])
def test_it_does_not_listen_for_others_without_keys_and_a_flag(
    tmp_path: Path, host: str, missing: str
) -> None:
    keys = None if missing == "--api-keys-file" else keys_file(tmp_path)
    allowed = missing != "--allow-remote"
    with pytest.raises(SettingsError, match=missing):
        policy_of(Options(host, 18888, keys, allowed, [], [], 16))


@pytest.mark.fault("F40", "S4")
async def test_to_ask_for_it_all_the_same_is_wrong_usage(env: dict[str, str]) -> None:
    code, said = await run(env, ["--host", "0.0.0.0"])
    assert code == 2
    assert "--allow-remote" in said
    assert "--api-keys-file" in said


@pytest.mark.fault("S4")
async def test_with_both_it_listens_and_says_so_loudly(env: dict[str, str], tmp_path: Path) -> None:
    arguments = ["--host", "0.0.0.0", "--allow-remote", "--api-keys-file"]
    async with ServeProcess(env, *arguments, str(keys_file(tmp_path))) as process:
        assert process.lines[1] == "keys: me\n"
        assert "0.0.0.0" not in process.lines[2]  # the page's address is one that browsers can open
        await process.end()
        assert "OTHER MACHINES CAN REACH IT" in process.log


def test_of_loading_every_tenth_percent_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told()
    for percent in range(101):
        told(Status("loading", "loading demo", percent))
    told(Status("ready", "demo is ready"))
    told(Status("error", "it has gone"))
    told(Status("error", "it does not start"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["loading demo (0 %)", "loading demo (10 %)", "loading demo (20 %)"]
    assert lines[10:] == [
        "loading demo (100 %)",
        "demo is ready",
        "it has gone",
        "it does not start",
    ]


@pytest.mark.fault("S5")
@pytest.mark.parametrize(
    ("text", "mode", "cure"),
    [
        (KEY, 0o644, "chmod 600"),
        (KEY, 0o620, "chmod 600"),
        ("", 0o600, "openssl rand"),
        ("# none\n\n", 0o600, "openssl rand"),
        ("me:short", 0o600, "16 or more"),
        ("just-a-key-without-a-name", 0o600, "name:key"),
        ("me:schlüsselschlüssel", 0o600, "name:key"),
        (f"{KEY}\n{KEY}", 0o600, "line 2"),
    ],
)
async def test_keys_that_are_not_safe_are_refused_with_the_cure(
    env: dict[str, str], tmp_path: Path, text: str, mode: int, cure: str
) -> None:
    code, said = await run(env, ["--api-keys-file", str(keys_file(tmp_path, text, mode))])
    assert code == 2
    assert cure in said
    assert "0123456789abcdef" not in said


async def test_a_file_of_keys_that_is_none_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        code, said = await run(env, ["--api-keys-file", str(path)])
        assert code == 2
        assert str(path) in said


async def test_a_port_that_is_taken_is_named_with_the_cure(env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = await run(env, ["--port", str(port)])
    assert code == 1
    assert f"port {port}" in said
    assert "--port" in said


async def test_an_origin_with_a_path_is_wrong_usage(env: dict[str, str]) -> None:
    for origin in ("*", "example.com", "https://example.com/"):
        code, said = await run(env, ["--cors-origin", origin])
        assert (code, "--cors-origin" in said) == (2, True)


async def test_what_is_sent_leaves_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()
    made = Protocol.connection_made

    def note(self: Protocol, transport: asyncio.Transport) -> None:
        made(self, transport)
        connection = transport.get_extra_info("socket")
        seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(Protocol, "connection_made", note)
    await api.ask()
    assert seen
    assert all(seen)  # without it an event waits 40 ms for the client's word on the one before


@pytest.mark.fault("S15")
async def test_nothing_listens_but_its_one_port(process: ServeProcess) -> None:
    import psutil

    found = psutil.Process(process.pid).net_connections()
    listening = [one.laddr for one in found if one.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", process.port)]


@pytest.mark.fault("F66")
async def test_what_is_asked_and_said_is_in_no_log(env: dict[str, str], fake: FakeEngine) -> None:
    async with ServeProcess(env, "--set", "chat.top_p=0.5") as process:
        fake.answer("canary-answer")
        await asyncio.to_thread(
            ask, process, messages=[{"role": "user", "content": "canary-question"}], bla="canary"
        )
        await process.end()
    assert "fields that nothing reads: bla" in process.log
    assert "(0 cached) + 1 new tokens" in process.log
    assert "canary" not in process.log + "".join(process.lines)


async def test_the_pages_address_is_printed_and_after_its_use_the_next(
    process: ServeProcess,
) -> None:
    line = next(line for line in process.lines if "chat page" in line)
    address = line.split()[-1]
    async with aiohttp.ClientSession() as session:
        async with session.get(address, allow_redirects=False) as got:
            assert got.status == 303
        async with session.get(address, allow_redirects=False) as got:
            assert got.status == 403
        another = (await process.says("chat page")).split()[-1]
        async with session.get(another, allow_redirects=False) as got:
            assert got.status == 303
