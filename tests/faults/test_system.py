"""F62: no file handles, a full disk, a process that is suspended, a clock that jumps."""

import ast
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencoder_lsp
from opencoder_lsp.client.child import engine_command
from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.client.launcher import Launcher
from opencoder_lsp.errors import EngineUnavailableError
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings
from tests.fakes.engine import FakeEngine
from tests.faults.session import ask, chat, document, patched, popups, suggested, works
from tests.protocol.raw import RawServer

PACKAGE = Path(opencoder_lsp.__file__).parent
# Where the time of day is looked at, to be written down: nothing waits for it. Only a server's
# `Retry-After` may be a date, and what is waited for one is limited.
BY_THE_CLOCK = {
    "api/answers.py",
    "api/app.py",
    "client/http.py",
    "conversations/archives.py",
    "conversations/entries.py",
    "engine/answer.py",
    "lsp/answers.py",
}

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="limits of another process can be set on Linux"
)


@contextlib.contextmanager
def limited(pid: int, what: int) -> Iterator[None]:
    """Let a process have nothing more of a resource while the block runs."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


@pytest.mark.fault("F62")
@linux
async def test_without_file_handles_requests_fail_and_later_ones_work(
    raw: RawServer, fake: FakeEngine
) -> None:
    async with raw:
        await raw.initialize(processId=os.getpid())
        raw.send("textDocument/didOpen", document("x = "))
        assert await suggested(raw, "before", ask(0, 4)) == "fake .answer"
        with limited(raw.process.pid, resource.RLIMIT_NOFILE):
            raw.send("textDocument/didChange", changed("y = "))
            messages = []
            for number in range(5):
                raw.send("textDocument/inlineCompletion", ask(0, 4), number)
                while (message := await raw.receive()).get("id") != number:
                    messages.append(message)
                assert message["result"] is None
            (shown,) = popups(messages)
            assert "Too many open files" in shown
            answer = await raw.request("chat", "workspace/executeCommand", chat("hello"))
            assert answer["error"]["code"] == -32803
        assert await suggested(raw, "after", ask(0, 4)) == "fake .answer"


def changed(text: str, version: int = 2) -> dict[str, object]:
    return {
        "textDocument": document("")["textDocument"] | {"version": version},
        "contentChanges": [{"text": text}],
    }


@pytest.mark.fault("F62")
@linux
async def test_on_a_full_disk_answers_are_given_that_cannot_be_kept(
    raw: RawServer, fake: FakeEngine
) -> None:
    show = {"uri": document("")["textDocument"]["uri"], "show": True}
    span = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 5}}
    explain = {"command": "opencoder.explain", "arguments": [{**show, "range": span}]}
    async with raw:
        window = {"showDocument": {"support": True}}
        await raw.initialize(
            capabilities={"window": window, "textDocument": {"inlineCompletion": {}}}
        )
        raw.send("textDocument/didOpen", document("x = "))
        await works(raw)
        with limited(raw.process.pid, resource.RLIMIT_FSIZE):
            raw.send("workspace/executeCommand", chat("hello"), 1)
            raw.send("workspace/executeCommand", explain, 2)
            answers, shown = dict[int, Any](), list[Any]()
            while len(answers) < 2:
                message = await raw.receive()
                if message.get("id") in (1, 2) and "method" not in message:
                    answers[message["id"]] = message["result"]
                else:
                    shown.append(message)
            assert [answer["text"] for answer in answers.values()] == ["fake .answer"] * 2
            assert [answer["conversationId"] for answer in answers.values()] == [None] * 2
            told = popups(shown)
            assert sum("cannot use the conversations" in text for text in told) == 1
            assert any("fake .answer" in text for text in told)  # no file of it could be shown
            assert await suggested(raw, 3, ask(0, 4)) == "fake .answer"
        kept = await raw.request(4, "workspace/executeCommand", chat("hello"))
        assert kept["result"]["conversationId"]


# Runs a command where nothing can be written to any file.
FULL = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.fault("F62")
async def test_an_engine_on_a_full_disk_says_so_and_starts_once_there_is_room(
    tiny: Settings,
) -> None:
    wrapper = [sys.executable, "-c", FULL]

    def command(settings: Settings, model: Model, socket: Path) -> list[str]:
        return wrapper + engine_command(settings, model, socket)

    launcher = Launcher(tiny, command=command, backoff=0.0)
    try:
        with pytest.raises(EngineUnavailableError, match=r"cannot write /.*is the disk full\?"):
            await launcher.client()
        wrapper.clear()
        client = await launcher.client()
        async with client.complete(CompletionRequest(prompt=[1, 2], max_tokens=2)) as stream:
            assert [piece async for piece in stream]
    finally:
        await launcher.stop()


@pytest.mark.fault("F62")
async def test_a_server_that_was_suspended_goes_on(raw: RawServer, fake: FakeEngine) -> None:
    async with raw:
        await raw.initialize(processId=os.getpid())
        raw.send("textDocument/didOpen", document("x = "))
        assert await suggested(raw, 1, ask(0, 4)) == "fake .answer"
        raw.process.send_signal(signal.SIGSTOP)
        fake.set_health(progress=0.5)  # pushed to a process that does not read
        raw.send("textDocument/didChange", changed("y = "))
        raw.send("textDocument/inlineCompletion", ask(0, 4), 2)
        raw.process.send_signal(signal.SIGCONT)
        assert (await raw.response(2))["result"]["items"]


# SIGUSR1 puts the clock forward by an hour, SIGUSR2 back by one.
CLOCK = """
import signal, sys, time
real, by = time.time, 0.0
def jump(number, frame):
    global by
    by = 3600.0 if number == signal.SIGUSR1 else -3600.0
    print("JUMP", by, file=sys.stderr, flush=True)
time.time = lambda: real() + by
signal.signal(signal.SIGUSR1, jump)
signal.signal(signal.SIGUSR2, jump)
"""


@pytest.mark.fault("F62")
async def test_a_clock_that_jumps_disturbs_nothing_under_way(
    env: dict[str, str], fake: FakeEngine
) -> None:
    async with patched(env, CLOCK) as raw:
        await raw.initialize(processId=os.getpid())
        raw.send("textDocument/didOpen", document("x = "))
        for number, jump in enumerate((signal.SIGUSR1, signal.SIGUSR2)):
            fake.pause_after(1)
            raw.send("workspace/executeCommand", chat("hello"), number)
            await fake.paused()
            raw.process.send_signal(jump)
            assert popups(await works(raw)) == []
            fake.resume()
            assert (await raw.response(number))["result"]["text"] == "fake .answer"
            raw.send("textDocument/didChange", changed(f"y{number} = ", number + 2))
            assert await suggested(raw, "typed", ask(0, 5)) == "fake .answer"
        await raw.request("end", "shutdown")
        raw.send("exit")
        assert await raw.exited() == 0
        assert (await raw.errors()).count("JUMP") == 2


@pytest.mark.fault("F62")
def test_nothing_waits_by_the_time_of_day() -> None:
    """A clock that jumps an hour can then end no wait, and make none long."""
    found = set[str]()
    for room in ("lsp", "client", "engine", "conversations", "api", "serving"):
        for file in (PACKAGE / room).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                    "time.time",
                    "datetime.now",
                    "datetime.datetime.now",
                ):
                    found.add(f"{room}/{file.name}")
    assert found == BY_THE_CLOCK
