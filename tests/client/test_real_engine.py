"""The launcher with the real engine process, on a tiny random model."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.client.launcher import Launcher, running_engine, socket_path, stop_engine
from opencoder_lsp.errors import EngineError, InvalidRequestError
from opencoder_lsp.settings import EngineSettings, Settings

CONTEXT = 8192
# An answer that takes seconds: it has to be under way when the engine is killed.
REQUEST = CompletionRequest(prompt=[10, 11, 12, 13], max_tokens=8000)


@pytest.fixture
async def launcher(short: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Launcher]:
    """A launcher of the real engine, which is ended after the test."""
    from tests.fakes.checkpoints import make_checkpoint  # imports torch

    monkeypatch.setenv("OPENCODER_HOME", str(short / "home"))
    monkeypatch.setattr("tests.fakes.checkpoints.CONTEXT", CONTEXT)
    pairs = [f"model.name={make_checkpoint(short / 'tiny')}", "engine.device=cpu"]
    launcher = Launcher(Settings.load(cli=pairs), backoff=0)
    yield launcher
    await launcher.stop()
    if engine := running_engine(socket_path(launcher.model())):
        stop_engine(engine)


async def read_all(pieces: AsyncIterator[str]) -> str:
    return "".join([piece async for piece in pieces])


@pytest.mark.fault("F56")
async def test_the_real_engine_is_started_killed_and_started_again(launcher: Launcher) -> None:
    client = await launcher.client()
    health = await client.health()
    assert (health.state, health.model, health.context_length) == ("ready", "tiny", CONTEXT)
    assert health.settings == EngineSettings(device="cpu").of_process()
    engine = running_engine(socket_path(launcher.model()))
    assert engine is not None
    assert engine.pid == health.pid
    too_long = CompletionRequest(prompt=[10] * 9000, max_tokens=5)
    with pytest.raises(InvalidRequestError, match="9000 tokens"):
        async with client.complete(too_long):
            pass
    async with client.complete(REQUEST) as stream:
        pieces = aiter(stream)
        await anext(pieces)
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="stopped in the middle of its answer"):
            await read_all(pieces)
    again = await launcher.client()
    short = CompletionRequest(prompt=REQUEST.prompt, max_tokens=3)
    async with again.complete(short) as stream:
        assert await read_all(aiter(stream))
    assert stream.finish_reason == "length"
    assert stream.usage is not None
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (4, 3)
    assert (await again.health()).pid != engine.pid
    assert not psutil.pid_exists(engine.pid)
