"""What the client's tests share."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from opencoder_lsp.client.child import engine_settings
from opencoder_lsp.client.engine import EngineClient
from opencoder_lsp.client.launcher import Launcher
from opencoder_lsp.client.starter import Patience
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings
from tests.engine.conftest import served, socket_path
from tests.fakes import engine_process
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

__all__ = ["served", "socket_path"]  # the real engine without a model, as its own tests have it


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a socket; pytest's own may not be."""
    with tempfile.TemporaryDirectory(prefix="oc-") as folder:
        yield Path(folder)


@pytest.fixture
async def fake(short: Path) -> AsyncIterator[FakeEngine]:
    """A scripted engine."""
    async with FakeEngine(short / "engine.sock") as engine:
        yield engine


@pytest.fixture
async def client(fake: FakeEngine) -> AsyncIterator[EngineClient]:
    """A client of the scripted engine."""
    client = EngineClient(fake.url)
    yield client
    await client.close()


class Engines:
    """Engine processes of one test: launchers that start them, and what they left behind."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.model = model
        self.wrong: list[str] = []  # arguments that make the next engines fail
        self.warnings: list[str] = []
        self._starts = folder / "starts"
        self._launchers: list[Launcher] = []

    def settings(self, *pairs: str) -> Settings:
        """Return settings that mean the tiny model."""
        return Settings.load(cli=[f"model.name={self.model}", *pairs])

    def command(self, settings: Settings, model: Model, socket: Path) -> list[str]:
        """Make the command line of a stand-in for the engine."""
        command = [sys.executable, engine_process.__file__, "--socket", str(socket)]
        command += ["--model", str(model.folder), "--starts", str(self._starts)]
        command += [f"--set={pair}" for pair in engine_settings(settings)]
        return [*command, *self.wrong]

    def launcher(self, *pairs: str, word: float = 15.0, start: float = 60.0) -> Launcher:
        """Make a launcher that starts stand-ins, without waits after a crash."""
        launcher = Launcher(
            self.settings(*pairs),
            warn=self.warnings.append,
            command=self.command,
            patience=Patience(word=word, start=start),
            backoff=0.0,
        )
        self._launchers.append(launcher)
        return launcher

    def started(self) -> list[int]:
        """Return the process id of every engine that was started, in order."""
        if not self._starts.exists():
            return []
        return [json.loads(line)[0] for line in self._starts.read_text().splitlines()]

    async def kill(self, which: int = -1) -> None:
        """Kill an engine, the last one if not told, and wait until it is gone."""
        try:
            process = psutil.Process(self.started()[which])
            process.kill()
            await asyncio.to_thread(process.wait, 10)
        except psutil.NoSuchProcess:
            return

    async def close(self) -> None:
        """Stop the launchers, then end every engine."""
        await asyncio.gather(*(launcher.stop() for launcher in self._launchers))
        for which in range(len(self.started())):
            await self.kill(which)


@pytest.fixture
async def engines(short: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engines]:
    """Engine processes in a home of their own, ended after the test."""
    monkeypatch.setenv("OPENCODER_HOME", str(short / "home"))
    engines = Engines(short, make_tokenizer_folder(short / "tiny", weights=True))
    yield engines
    await engines.close()
