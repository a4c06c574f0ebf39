"""`doctor` finds each condition that keeps somebody from working; `engine logs` says what was."""

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from opencoder_lsp import paths
from opencoder_lsp.cli import remote_findings
from opencoder_lsp.cli.doctor import run_doctor
from opencoder_lsp.cli.logs import show_log
from opencoder_lsp.client.launcher import socket_path
from opencoder_lsp.client.log_file import LIMIT, log_path, opened
from opencoder_lsp.client.servers import Kind
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import ModelError, SettingsError
from opencoder_lsp.models import registry
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer, make_tokenizer_folder
from tests.fakes.remote import Remote


@pytest.fixture
def pairs(tmp_path: Path) -> list[str]:
    """Settings that mean a model of which nothing is looked at but its manifest."""
    return [f"model.name={make_tokenizer_folder(tmp_path / 'tiny', weights=True)}"]


@pytest.fixture
def socket(pairs: list[str]) -> Path:
    """Where the engine of that model listens."""
    return socket_path(registry.resolve(Settings.load(cli=pairs)))


class Doctor:
    """Runs the doctor and reads its report."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, pairs: list[str], what: str = "engine") -> list[dict[str, str]]:
        """Return what is said of one thing."""
        await asyncio.to_thread(run_doctor, pairs, as_json=True)
        report = json.loads(self._capsys.readouterr().out)
        return [finding for finding in report if finding["what"] == what]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(capsys)


@contextmanager
def held(socket: Path, **record: Any) -> Iterator[None]:
    """Hold the lock of an engine, as its process does."""
    own = {"pid": os.getpid(), "started": psutil.Process().create_time(), "version": "9"}
    with paths.lock_path(socket).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps({**own, "model": "tiny", "folder": "/f", **record}))
        file.flush()
        yield


async def test_an_engine_that_answers_is_well(
    doctor: Doctor, pairs: list[str], socket: Path
) -> None:
    async with FakeEngine(socket):
        (engine,) = await doctor(pairs)
    assert engine["state"] == "ok"
    assert "fake is ready" in engine["detail"]


@pytest.mark.parametrize(
    ("health", "state", "says", "cure"),
    [
        ({"state": "loading", "progress": 0.25}, "note", "loading (25%)", "wait"),
        ({"state": "draining"}, "note", "it ends", "the next editor starts another"),
        ({"state": "error", "cause": "model.bin is gone"}, "bad", "model.bin is gone", "logs"),
    ],
)
async def test_an_engine_that_is_not_ready_says_why(
    doctor: Doctor, pairs: list[str], socket: Path, health: dict[str, Any], state: str, says: str,
    cure: str,
) -> None:  # fmt: skip
    async with FakeEngine(socket, **health):
        (engine,) = await doctor(pairs)
    assert engine["state"] == state
    assert says in engine["detail"]
    assert cure in engine["cure"]


async def test_an_engine_that_runs_and_does_not_answer_is_found(
    doctor: Doctor, pairs: list[str], socket: Path
) -> None:
    with held(socket):
        (engine,) = await doctor(pairs)
    assert engine["state"] == "bad"
    assert f"process {os.getpid()} runs but does not answer" in engine["detail"]
    assert engine["cure"] == "opencoder-lsp engine stop"


async def test_an_engine_that_crashed_left_its_last_words(
    doctor: Doctor, pairs: list[str], socket: Path
) -> None:
    (engine,) = await doctor(pairs)
    assert (engine["state"], engine["detail"]) == ("note", "not running")
    with opened(log_path(socket)) as file:
        os.write(file, b"INFO something\nCRITICAL the device is lost\n")
    (engine,) = await doctor(pairs)
    assert (engine["state"], engine["cure"]) == ("note", "opencoder-lsp engine logs")
    assert engine["detail"].endswith("the last thing it said: CRITICAL the device is lost")
    with opened(log_path(socket)) as file:
        os.write(file, b"2026-01-01 INFO opencoder_lsp.engine: engine ended\n")
    (engine,) = await doctor(pairs)
    assert engine["detail"] == "not running"


async def test_engines_of_other_models_are_named(
    doctor: Doctor, pairs: list[str], socket: Path
) -> None:
    with held(socket.with_name("engine-other.sock"), model="big"):
        own, other = await doctor(pairs)
        (missing, again) = await doctor(["model.name=demo"])
    assert own["detail"] == "not running"
    assert other["detail"] == f"that of big, version 9 (process {os.getpid()}) runs, too"
    assert other["cure"].endswith("engine stop --all")
    assert missing["detail"] == "not looked for without a model"
    assert again == other


async def test_an_engine_elsewhere_that_does_not_answer_is_bad(
    doctor: Doctor, pairs: list[str]
) -> None:
    (engine,) = await doctor([*pairs, "engine.url=unix:/nowhere/s"])
    assert engine["state"] == "bad"
    assert "/nowhere/s" in engine["detail"]


async def test_settings_that_cannot_be_used_are_a_finding_and_not_the_end(
    doctor: Doctor, pairs: list[str]
) -> None:
    (settings,) = await doctor(pairs, "settings")
    assert settings["state"] == "ok"
    paths.config_file().parent.mkdir(parents=True)
    paths.config_file().write_text("[engine]\ncolour = 1\n")
    (settings,) = await doctor(pairs, "settings")
    assert settings["state"] == "bad"
    assert "engine.colour" in settings["detail"]


async def test_wrong_usage_is_no_finding() -> None:
    with pytest.raises(SettingsError, match=r"engine\.colour"):
        run_doctor(["engine.colour=1"], as_json=True)


@pytest.mark.parametrize(
    ("what", "folder"), [("logs", paths.logs), ("socket folder", paths.runtime)]
)
async def test_a_folder_that_cannot_be_used_is_found(
    doctor: Doctor, pairs: list[str], what: str, folder: Any
) -> None:
    assert [finding["state"] for finding in await doctor(pairs, what)] == ["ok"]
    folder().rmdir()
    folder().write_text("in the way")
    (finding,) = await doctor(pairs, what)
    assert finding["state"] == "bad"
    assert str(folder()) in finding["detail"]


async def test_conversations_that_cannot_be_read_are_found(
    doctor: Doctor, pairs: list[str]
) -> None:
    assert "none yet" in (await doctor(pairs, "conversations"))[0]["detail"]
    file = Store().path
    file.parent.mkdir(parents=True)
    file.write_text("no database, and long enough to be seen as that\n" * 100)
    (finding,) = await doctor(pairs, "conversations")
    assert finding["state"] == "bad"
    assert "move the file away" in finding["detail"]


def test_the_last_lines_of_the_log_are_printed_also_behind_a_turn_of_files(
    pairs: list[str], socket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.load(cli=pairs)
    assert show_log(settings, 3) == 1
    assert "none yet" in capsys.readouterr().err
    with opened(log_path(socket)) as file:
        os.write(file, b"x" * LIMIT + b"\none\n[two]\n")
    with opened(log_path(socket)) as file:
        os.write(file, b"three\n")
    assert show_log(settings, 3) == 0
    said = capsys.readouterr()
    assert said.out == "one\n[two]\nthree\n"
    assert said.err.strip() == str(log_path(socket))


def test_the_log_of_an_engine_elsewhere_is_not_here(
    pairs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = "http://me:password@elsewhere:1"
    assert show_log(Settings.load(cli=[*pairs, f"engine.url={url}"]), 3) == 1
    said = capsys.readouterr()
    assert "its log is there" in said.err
    assert "password" not in said.err + said.out


def test_the_logs_of_each_roles_engine_are_printed_as_far_as_they_are_here(
    pairs: list[str], socket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(log_path(socket)) as file:
        os.write(file, b"one\n")
    assert show_log(Settings.load(cli=[*pairs, "chat.url=http://elsewhere:1"]), 3) == 1
    said = capsys.readouterr()
    assert said.out == "one\n"
    assert "the chat engine at http://elsewhere:1 is not ours" in said.err


def test_the_log_of_no_model_is_an_error_with_the_cure() -> None:
    with pytest.raises(ModelError, match="models pull"):
        show_log(Settings(), 3)


@pytest.mark.parametrize(
    ("kind", "state", "says"),
    [
        ("vLLM", "ok", "vLLM 0.32.0 at {url} has their-model with 1024 tokens of context and the"),
        ("llama-server", "ok", "llama-server b1-test at {url} has their-model with 1024 tokens"),
        ("other", "note", "a server of unknown make at {url} has their-model"),
    ],
)
async def test_a_server_elsewhere_is_named_with_what_it_has(
    doctor: Doctor, pairs: list[str], kind: Kind, state: str, says: str
) -> None:
    async with Remote(kind, Tokenizer(make_tokenizer())) as remote:
        (engine,) = await doctor([*pairs, f"engine.url={remote.url}"])
    assert engine["state"] == state
    assert says.format(url=remote.url) in engine["detail"]


async def test_each_roles_engine_is_looked_at(
    doctor: Doctor, pairs: list[str], socket: Path
) -> None:
    async with Remote("vLLM", Tokenizer(make_tokenizer())) as remote, FakeEngine(socket):
        pairs = [*pairs, f"chat.url={remote.url}"]
        (chat,) = await doctor(pairs, "chat engine")
        (engine,) = await doctor(pairs, "completion engine")
    assert "vLLM 0.32.0" in chat["detail"]
    assert "fake is ready" in engine["detail"]


async def test_a_key_that_anybody_on_the_way_can_read_is_noted(
    doctor: Doctor, pairs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_findings, "is_remote", lambda url: True)
    keys = tmp_path / "keys"
    keys.write_text("abc\n")
    keys.chmod(0o600)
    async with Remote("vLLM", Tokenizer(make_tokenizer())) as remote:
        remote.key = "abc"
        pairs = [*pairs, f"engine.url={remote.url}", f"engine.key_file={keys}"]
        (note,) = await doctor(pairs, "engine's key")
    assert note["state"] == "note"
    assert "https://" in note["cure"]
