"""Engines for the loads, and language servers for them."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.engine.conftest import served, socket_path
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder
from tests.fakes.roomy_model import make_roomy_model
from tests.loads.engines import QUICK, REAL, EngineProcess, running_engine
from tests.loads.front import Front
from tests.loads.processes import kill, processes_with

__all__ = ["served", "socket_path"]  # the real engine in this process, as its own tests have it

_CONTEXT = 10_000_000  # tokens: any document fits
_PACE = 0.001  # seconds a token of the quick engine


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for the engines that only pretend to have weights."""
    folder = tmp_path_factory.mktemp("model") / "quick"
    return make_tokenizer_folder(folder, name="quick", weights=True)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights and 8192 tokens of context."""
    return make_roomy_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def home(_own_home: Path) -> Iterator[Path]:
    """Where servers and the engines that they start keep everything; none outlives the test."""
    yield _own_home
    for pid in processes_with(str(_own_home)):
        kill(pid)


@pytest.fixture
async def fake(home: Path) -> AsyncIterator[FakeEngine]:
    """The scripted engine, in whose context anything fits."""
    async with FakeEngine(home / "fake.sock", context_length=_CONTEXT) as engine:
        yield engine


@pytest.fixture(scope="session")
def tiny_engine(model_folder: Path) -> Iterator[EngineProcess]:
    """The real engine with a tiny model; it may be loading still."""
    with running_engine("tiny", REAL, model_folder, "--set=engine.slots=8") as engine:
        yield engine


@pytest.fixture(scope="session")
def quick_engine(tokenizer_folder: Path) -> Iterator[EngineProcess]:
    """The real engine around a model that only pretends."""
    with running_engine("quick", QUICK, tokenizer_folder, f"--pace={_PACE}") as engine:
        yield engine


class StartFront(Protocol):
    """Makes language servers of an engine; of the scripted one, if not told."""

    def __call__(self, engine: EngineProcess | None = None, *, folder: Path | None = None) -> Front:
        """`folder` is the model's, if not the engine's own."""


@pytest.fixture
def front(fake: FakeEngine, tokenizer_folder: Path) -> StartFront:
    """Make language servers."""

    def make(engine: EngineProcess | None = None, *, folder: Path | None = None) -> Front:
        model = folder or (engine.folder if engine else tokenizer_folder)
        url = engine.url if engine else fake.url
        own = {"OPENCODER_ENGINE_URL": url, "OPENCODER_MODEL_NAME": str(model)}
        return Front({**os.environ, **own})

    return make
