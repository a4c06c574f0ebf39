"""A server process with a scripted engine, or any other server by `--server`."""

import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder
from tests.protocol.editor import Editor, capabilities
from tests.protocol.raw import RawServer

OURS = [sys.executable, "-m", "opencoder_lsp"]
PATIENT = [sys.executable, str(Path(__file__).parents[1] / "fakes" / "patient_server.py")]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the suite run against another server."""
    parser.addoption(
        "--server",
        metavar="CMD",
        help="run tests/protocol against this language server, which speaks LSP over stdio",
    )


@pytest.fixture(scope="session")
def foreign(request: pytest.FixtureRequest) -> str | None:
    """The command of another server, if one is tested."""
    command: str | None = request.config.getoption("--server", default=None)
    return command


@pytest.fixture(scope="session")
def command(foreign: str | None) -> list[str]:
    """The command line of the server under test."""
    return shlex.split(foreign) if foreign else OURS


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder without weights."""
    return make_tokenizer_folder(tmp_path_factory.mktemp("model"), name="tiny")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where our server keeps everything."""
    return tmp_path / "home"


@pytest.fixture
async def engine(foreign: str | None, tmp_path: Path) -> AsyncIterator[FakeEngine | None]:
    """The scripted engine behind our server; None for another server."""
    if foreign:
        yield None
        return
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        yield fake


@pytest.fixture
def fake(engine: FakeEngine | None) -> FakeEngine:
    """The scripted engine; skips the test of another server."""
    if engine is None:
        pytest.skip("needs our scripted engine behind the server")
    return engine


@pytest.fixture
def env(
    foreign: str | None, engine: FakeEngine | None, tokenizer_folder: Path, home: Path
) -> dict[str, str]:
    """The environment of the server."""
    if engine is None:
        return dict(os.environ)
    ours = {
        "OPENCODER_HOME": str(home),
        "OPENCODER_ENGINE_URL": engine.url,
        "OPENCODER_MODEL_NAME": str(tokenizer_folder),
        # So that the engine gets no request but what a test asks for, at the time it does.
        "OPENCODER_COMPLETION_AHEAD": "false",
        "OPENCODER_COMPLETION_CHOICES": "1",
        "OPENCODER_COMPLETION_DEBOUNCE": "0",
    }
    return {**os.environ, **ours}


class StartEditor:
    """Starts servers, each with an editor connected to it."""

    def __init__(self, command: Sequence[str], env: dict[str, str], *, ours: bool) -> None:
        self._command = command
        self._env = env
        self._ours = ours
        self._editors: list[Editor] = []

    async def __call__(
        self,
        client: types.ClientCapabilities | None = None,
        *,
        settings: Any = None,
        configuration: Any = None,
        folder: str | None = None,
        env: dict[str, str] | None = None,
        process_id: int | None = None,
        wait: bool = True,
    ) -> Editor:
        """Start a server; `wait` for its engine, where the server is ours."""
        editor = Editor()
        if configuration is not None:
            editor.set_configuration({"opencoder": configuration})
        await editor.start_io(*self._command, env={**self._env, **(env or {})})
        self._editors.append(editor)
        options = {"settings": settings or {}, "statusNotifications": True}
        params = types.InitializeParams(
            capabilities=client or capabilities(),
            process_id=process_id or os.getpid(),
            workspace_folders=[types.WorkspaceFolder(folder, "work")] if folder else None,
            initialization_options=options if self._ours else None,
        )
        editor.init = await editor.initialize_session(params)
        if wait and self._ours:
            await editor.ready()
        return editor

    async def close(self) -> None:
        """Shut every server down that still runs; it must then have ended with 0."""
        for editor in self._editors:
            if editor.exit_code is None:
                await editor.shutdown_session()
                assert await editor.exited() == 0
            await editor.stop()  # type: ignore[no-untyped-call]


@pytest.fixture
async def start(
    command: list[str], env: dict[str, str], foreign: str | None
) -> AsyncIterator[StartEditor]:
    """Start servers; each is shut down, and must then have ended with 0, when the test is over."""
    start = StartEditor(command, env, ours=foreign is None)
    yield start
    await start.close()


@pytest.fixture
async def patient(env: dict[str, str], fake: FakeEngine) -> AsyncIterator[StartEditor]:
    """As `start`, for what our server does before it loses patience, on however slow a machine."""
    start = StartEditor(PATIENT, env, ours=True)
    yield start
    await start.close()


@pytest.fixture
async def editor(start: StartEditor) -> Editor:
    """An editor like VS Code, with a server whose engine is ready."""
    return await start()


@pytest.fixture
def raw(command: list[str], env: dict[str, str]) -> RawServer:
    """A server process that is not started yet: `async with raw: …`."""
    return RawServer(command, env)


@pytest.fixture
def needs_command(editor: Editor) -> Callable[[str], None]:
    """Skip the test where the server has no such command."""

    def check(name: str) -> None:
        if not editor.has_command(name):
            pytest.skip(f"the server has no command {name}")

    return check


@pytest.fixture
def code_of(tokenizer_folder: Path) -> Callable[[dict[str, Any]], str]:
    """Read the code left of the cursor from a request of our server to its engine."""
    tokenizer = Tokenizer.load(tokenizer_folder)

    def code(body: dict[str, Any]) -> str:
        return tokenizer.decode(body["prompt"]) + str(body.get("forced_prefix", ""))

    return code
