"""A connection that cannot be made for a reason that nobody expected."""

import asyncio
from pathlib import Path

import pytest

from opencoder_lsp.client.connection import GONE, Connection, NotNowError, Status
from opencoder_lsp.client.launcher import socket_path
from opencoder_lsp.errors import EngineUnavailableError
from opencoder_lsp.models import registry
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder


def unexpected(text: str) -> None:
    pytest.fail(f"warned: {text}")


async def test_an_unexpected_failure_is_a_status_and_not_loading_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def fail(folder: Path) -> Tokenizer:
        raise OSError("a secret path")

    monkeypatch.setattr(Tokenizer, "load", fail)
    model = make_tokenizer_folder(tmp_path / "model", name="tiny")
    settings = Settings.load(cli=[f"model.name={model}", "engine.url=unix:/nowhere"])
    told = list[Status]()
    connection = Connection(settings, told.append, unexpected)
    with pytest.raises(EngineUnavailableError, match="OSError") as error:
        await connection.engine()
    assert isinstance(error.value.__cause__, OSError)
    assert [status.kind for status in told] == ["error"]
    assert connection.status.message == str(error.value)
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text + str(error.value)
    with pytest.raises(NotNowError):  # whoever types is not told with each key
        await connection.engine_at_once()
    await connection.close()


async def test_a_percentage_is_one_whatever_the_engine_says(tmp_path: Path) -> None:
    model = make_tokenizer_folder(tmp_path / "model", name="tiny")
    told = list[Status]()
    async with FakeEngine(tmp_path / "s", state="loading", progress=1e308) as fake:
        settings = Settings.load(cli=[f"model.name={model}", f"engine.url={fake.url}"])

        def tell(status: Status) -> None:
            told.append(status)
            fake.set_health(state="ready")

        connection = Connection(settings, tell, unexpected)
        await connection.engine()
        await connection.close()
    assert [(status.kind, status.percent) for status in told] == [("loading", 100), ("ready", None)]


async def test_settings_of_an_engine_that_others_have_started_are_warned_of(tmp_path: Path) -> None:
    model = make_tokenizer_folder(tmp_path / "model", name="tiny", weights=True)
    settings = Settings.load(cli=[f"model.name={model}", "engine.threads=1"])
    warned = list[str]()
    async with FakeEngine(socket_path(registry.resolve(settings)), settings={"threads": 2}):
        connection = Connection(settings, lambda status: None, warned.append)
        await connection.engine()
        await connection.engine()
        await connection.close()
    (text,) = warned
    assert "engine.threads is 2 there and 1 here" in text


async def test_it_is_said_at_once_that_an_engine_has_gone_or_failed(tmp_path: Path) -> None:
    model = make_tokenizer_folder(tmp_path / "model", name="tiny")
    told, change = list[Status](), asyncio.Event()

    def tell(status: Status) -> None:
        told.append(status)
        change.set()

    async with FakeEngine(tmp_path / "s") as fake:
        settings = Settings.load(cli=[f"model.name={model}", f"engine.url={fake.url}"])
        connection = Connection(settings, tell, unexpected)
        await connection.engine()
        change.clear()
        fake.set_health(state="error", cause="a step took too long")
        await change.wait()
        assert told[-1] == Status("error", "a step took too long")
        fake.set_health(state="ready", cause=None)
        fake.abort_connections()
    async with FakeEngine(tmp_path / "s") as fake:
        await connection.engine()
        assert told[-1].kind == "ready"
        change.clear()
        fake.abort_connections()
        await change.wait()
        assert told[-1] == Status("error", GONE)
    await connection.close()
    assert len(told) == 4
