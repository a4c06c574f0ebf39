"""One code-server for all tests of VS Code, and a window in it for each module."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.editors.vscode.code_server import PATIENT, CodeServer, code_server, program
from tests.editors.vscode.installation import installation, package
from tests.editors.vscode.probe import probe
from tests.editors.vscode.window import chromium, opened
from tests.editors.vscode.workbench import Workbench
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder


@pytest.fixture(scope="package")
def home() -> Iterator[Path]:
    """The user's home; short, since there is a socket in it."""
    with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def engine(home: Path) -> AsyncIterator[FakeEngine]:
    """The engine that every window's server is connected to."""
    async with FakeEngine(home / "engine.sock") as fake:
        yield fake


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def server(home: Path, engine: FakeEngine) -> AsyncIterator[CodeServer]:
    """VS Code with the extension, and the language server on its PATH."""
    extensions = [package(), probe(home)]
    program(home / ".local" / "bin", PATIENT)  # VS Code takes the PATH of a login shell
    environment = {
        "OPENCODER_HOME": str(home / "opencoder"),
        "OPENCODER_ENGINE_URL": engine.url,
        "OPENCODER_MODEL_NAME": str(make_tokenizer_folder(home / "model")),
    }
    async with code_server(installation(), extensions, home, environment) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Any]:
    """Chromium, with a profile that is thrown away."""
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def window(
    browser: Any, server: CodeServer, engine: FakeEngine, home: Path, request: Any
) -> AsyncIterator[Workbench]:
    """A window on a folder of the module's own, with everything ready."""
    folder = home / "work" / request.module.__name__.rpartition(".")[2]
    folder.mkdir(parents=True)
    async with opened(browser, server, engine, folder) as person:
        await person.ready()
        await person.completes()
        yield person


@pytest_asyncio.fixture(loop_scope="package")
async def person(window: Workbench) -> AsyncIterator[Workbench]:
    """The module's window, with nothing open."""
    yield window
    window.engine.resume()
    await window.close_all()
