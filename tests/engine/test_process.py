"""The engine as a process: exit codes, signals, and a real (tiny) model over its socket."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from opencoder_lsp.client.wire import read_health
from opencoder_lsp.engine import server
from opencoder_lsp.paths import lock_path
from tests.engine.conftest import Serve, events
from tests.fakes.checkpoints import CONTEXT, END_OF_TURN, make_checkpoint, make_scripted

WAIT = 60.0  # seconds; torch takes several to import on a busy machine
WORD = 267
STUCK_ENGINE = str(Path(__file__).parents[1] / "fakes" / "stuck_engine.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that says WORD up to position 100, then ends its turn."""
    model = make_scripted({100: END_OF_TURN}, otherwise=WORD)
    return make_checkpoint(tmp_path_factory.mktemp("models") / "tiny", model)


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(folder: Path, socket_path: Path) -> Iterator[Start]:
    """Start engine processes, ended with the test; their log is `.stderr`."""
    processes: list[subprocess.Popen[str]] = []

    def run(
        *settings: str,
        model: Path = folder,
        program: Sequence[str] = ("-m", "opencoder_lsp.engine"),
    ) -> "subprocess.Popen[str]":
        command = [sys.executable, *program]
        command += ["--model", str(model), "--socket", str(socket_path)]
        for setting in settings:
            command += ["--set", setting]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
async def session(socket_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(str(socket_path))
    async with aiohttp.ClientSession("http://engine", connector=connector) as one:
        yield one


async def wait_for_socket(process: "subprocess.Popen[str]") -> None:
    """Return when the process has said that it listens."""
    assert process.stderr is not None
    line = await asyncio.to_thread(process.stderr.readline)
    assert ", on " in line, line


async def wait_for_state(session: aiohttp.ClientSession, state: str) -> dict[str, Any]:
    """Hold a lease until the engine is in a state; return its health."""
    async with asyncio.timeout(WAIT), session.get("/events") as response:
        async for health in events(response):
            if health["state"] == state:
                found: dict[str, Any] = health
                return found
    raise AssertionError(f"the engine ended before it was {state}")


async def ask(session: aiohttp.ClientSession, **body: Any) -> dict[str, Any]:
    body = {"prompt": [40, 41], "temperature": 0, **body}
    async with session.post("/v1/completions", json=body) as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def finished(process: "subprocess.Popen[str]") -> int:
    return await asyncio.to_thread(process.wait, WAIT)


async def test_a_real_model_answers_over_the_socket_and_the_process_lingers_no_longer(
    start: Start, session: aiohttp.ClientSession, socket_path: Path
) -> None:
    process = start("engine.linger=0.5", "engine.slots=3", "engine.dtype=float32")
    await wait_for_socket(process)
    async with session.get("/events") as lease:
        health = await wait_for_state(session, "ready")
        assert health["model"] == "tiny"
        assert health["pid"] == process.pid
        parsed = read_health(health)  # as fronts do
        assert (parsed.slots, parsed.context_length) == (3, CONTEXT)
        assert parsed.kv_bytes == 2 * 2 * 1 * 16 * 4 * CONTEXT * 3
        answer = await ask(session, max_tokens=3)
        assert answer["usage"]["completion_tokens"] == 3
        stopped = await ask(session, max_tokens=500, stop_token_ids=[END_OF_TURN])
        assert stopped["choices"][0]["finish_reason"] == "stop"
        assert stopped["usage"]["completion_tokens"] == 99
        biased = await ask(
            session, n=2, max_tokens=2, logit_bias={str(WORD): -100, "268": 100}, logprobs=1
        )
        assert len({choice["text"] for choice in biased["choices"]}) == 1
        scores = biased["choices"][1]["logprobs"]
        # The model itself would have said WORD; what was said came from the bias.
        assert scores["tokens"] == [" rea"] * 2
        assert [list(top) for top in scores["top_logprobs"]] == [[" return", " rea"]] * 2
        assert all(top[" return"] > top[" rea"] for top in scores["top_logprobs"])
        drawn = [await ask(session, n=2, temperature=2, seed=seed) for seed in (1, 1, 2)]
        first, again, next_seed = [[c["text"] for c in one["choices"]] for one in drawn]
        assert first == again
        assert first[0] != first[1] == next_seed[0]
        async with session.get("/metrics") as response:
            assert "opencoder_engine_tokens_per_second_bucket" in await response.text()
        assert not lease.closed
    assert await finished(process) == 0
    assert process.stderr is not None
    assert f"3 slots of {CONTEXT} tokens in 0 MB" in process.stderr.read()
    assert socket_path.name not in os.listdir(socket_path.parent)


async def test_the_lock_file_says_who_runs(
    start: Start, session: aiohttp.ClientSession, socket_path: Path, folder: Path
) -> None:
    process = start()
    await wait_for_socket(process)
    info = json.loads(lock_path(socket_path).read_text())
    assert info["pid"] == process.pid
    assert (info["model"], info["folder"]) == ("tiny", str(folder))
    assert set(info) == {"pid", "started", "version", "model", "folder"}
    process.send_signal(signal.SIGTERM)
    assert await finished(process) == 0  # also while it still loads


@pytest.mark.fault("F57")
async def test_a_second_engine_on_the_same_socket_leaves_with_3(
    start: Start, session: aiohttp.ClientSession
) -> None:
    first = start()
    await wait_for_socket(first)
    assert await finished(start()) == 3
    async with session.get("/health") as response:
        assert (await response.json())["pid"] == first.pid


@pytest.mark.fault("F56", "F58")
async def test_after_a_kill_the_next_engine_takes_the_socket_over(
    start: Start, session: aiohttp.ClientSession
) -> None:
    first = start()
    await wait_for_socket(first)
    first.kill()
    await finished(first)
    second = start()
    await wait_for_socket(second)
    async with session.get("/health") as response:
        assert (await response.json())["pid"] == second.pid


@pytest.mark.fault("F51")
async def test_sigterm_lets_a_running_request_end(
    start: Start, session: aiohttp.ClientSession
) -> None:
    process = start("engine.threads=1")  # two would wait for each other beside a busy program
    await wait_for_socket(process)
    await wait_for_state(session, "ready")
    body = {"prompt": [40, 41], "temperature": 0, "max_tokens": 20, "stream": True}
    async with session.post("/v1/completions", json=body) as response:
        stream = events(response)
        await anext(stream)
        process.send_signal(signal.SIGTERM)
        assert [event async for event in stream][-1] == "[DONE]"
    assert await finished(process) == 0


@pytest.mark.fault("F60")
async def test_a_damaged_model_is_told_in_health_and_the_process_then_leaves(
    start: Start, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    process = start("engine.linger=0", model=empty)
    await wait_for_socket(process)
    health = await wait_for_state(session, "error")
    assert f"models pull {empty}" in health["cause"]
    assert await finished(process) == 0


@pytest.mark.fault("F55")
async def test_a_request_may_take_no_longer_than_the_setting_says(
    start: Start, session: aiohttp.ClientSession
) -> None:
    process = start("engine.request_seconds=1e-9")
    await wait_for_socket(process)
    await wait_for_state(session, "ready")
    assert (await ask(session))["error"]["code"] == "timeout"


@pytest.mark.fault("F54")
async def test_a_stuck_step_is_told_and_ends_the_process_which_frees_the_socket(
    start: Start, session: aiohttp.ClientSession, socket_path: Path
) -> None:
    process = start("engine.step_seconds=0.2", program=[STUCK_ENGINE])
    await wait_for_socket(process)
    await wait_for_state(session, "ready")
    error = (await ask(session))["error"]
    assert (error["code"], error["type"]) == ("model_error", "server_error")
    assert "took longer than 0.2 s (engine.step_seconds)" in error["message"]
    assert await finished(process) == 1
    assert process.stderr is not None
    assert f"CRITICAL opencoder_lsp.engine.core: the engine has to end: {error['message']}" in (
        process.stderr.read()
    )
    assert socket_path.name not in os.listdir(socket_path.parent)
    await wait_for_socket(start(program=[STUCK_ENGINE]))


@pytest.mark.parametrize("setting", ["engine.nonsense=1", "engine.linger=-1", "engine.linger"])
async def test_a_bad_setting_is_wrong_usage(start: Start, setting: str) -> None:
    assert await finished(start(setting)) == 2


@pytest.mark.fault("F59")
async def test_a_folder_that_others_can_enter_is_refused(start: Start, socket_path: Path) -> None:
    socket_path.parent.chmod(0o755)
    process = start()
    assert await finished(process) == 1
    assert process.stderr is not None
    assert "chmod 700" in process.stderr.read()


NOBODY = 65534
AS_NOBODY = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    try:
        client.sendall(b"GET /health HTTP/1.0\\r\\n\\r\\n")
        print(client.recv(100))
    except (BrokenPipeError, ConnectionResetError):
        print(b"")
"""


@pytest.mark.fault("S5")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_another_user_is_not_answered_even_where_modes_let_him_in(
    start: Start, session: aiohttp.ClientSession, socket_path: Path
) -> None:
    process = start()
    await wait_for_socket(process)
    for path, mode in (socket_path.parent, 0o755), (socket_path, 0o666):
        os.chmod(path, mode)
    command = [sys.executable, "-c", AS_NOBODY, str(socket_path)]
    asked = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=WAIT
    )
    assert asked.stdout == "b''\n", asked
    async with session.get("/health") as response:
        assert response.status == 200
    process.send_signal(signal.SIGTERM)
    await finished(process)
    assert process.stderr is not None
    assert f"closed a connection of another user (uid {NOBODY})" in process.stderr.read()


def someone_else(connection: socket.socket) -> int:
    return os.geteuid() + 1


def someone_gone(connection: socket.socket) -> int:
    raise OSError("not connected")


@pytest.mark.fault("S5")
@pytest.mark.parametrize("peer", [someone_else, someone_gone])
async def test_a_connection_that_is_not_this_users_is_closed_before_a_byte_is_read(
    served: Serve,
    socket_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    peer: Callable[[socket.socket], int],
) -> None:
    read: list[bytes] = []
    async with served() as engine:
        monkeypatch.setattr(server, "peer_uid", peer)
        monkeypatch.setattr(server._Protocol, "data_received", lambda _, data: read.append(data))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(socket_path))  # the event loop of the engine is ours: it waits
            client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            client.setblocking(False)
            with contextlib.suppress(ConnectionResetError):
                async with asyncio.timeout(WAIT):
                    assert await asyncio.get_running_loop().sock_recv(client, 100) == b""
        assert read == []
        assert engine.engine.unfinished == 0


@pytest.mark.fault("S5")
def test_the_peer_of_a_socket_is_who_connected() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert server.peer_uid(ours) == os.geteuid()


@pytest.mark.fault("F66")
async def test_the_log_has_counts_and_no_text(start: Start, session: aiohttp.ClientSession) -> None:
    process = start("engine.linger=0")
    await wait_for_socket(process)
    async with session.get("/events"):
        await wait_for_state(session, "ready")
        await ask(session, prompt="my secret prompt", forced_prefix="my secret prefix")
        await ask(session, prompt="my secret prompt", temperature=-1)
    await finished(process)
    assert process.stderr is not None
    log = process.stderr.read()
    assert re.search(r"cmpl-1 length: \d+ prompt", log)
    assert "secret" not in log


def test_the_engine_can_be_imported_without_torch() -> None:
    code = "import sys, opencoder_lsp.engine.__main__ as m; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert os.environ.get("HF_HUB_OFFLINE") is None
