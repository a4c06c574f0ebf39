"""Both versions of Neovim, and a person at work with the plugin in one of them."""

import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from tests.editors.neovim import NVIM, scripted
from tests.editors.window import Window, window
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

_SCRIPT = Path(__file__).with_name("setup_neovim012.sh")
_FOLDER = Path(platformdirs.user_cache_dir("opencoder-lsp")) / "tests" / "neovim-0.12"
ATTACHED = "(vim.lsp.get_clients({ name = 'opencoder', bufnr = 0 })[1] or {}).initialized"


@cache
def neovim_012() -> Path | str:
    """Return Neovim 0.12, unpacked once and kept, or why there is none."""
    binary = _FOLDER / "nvim"
    if not binary.exists():
        command = ["bash", str(_SCRIPT), str(_FOLDER)]
        made = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if made.returncode != 0:
            reason = (made.stderr or made.stdout).strip().splitlines()[-1:] or ["no reason given"]
            return f"no Neovim 0.12 from its source: {reason[0]}"
    version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout
    first = version.splitlines()[0] if version else "nothing that runs"
    return binary if first.startswith("NVIM v0.12") else f"its source has {first}"


@dataclass(frozen=True)
class Lane:
    """A Neovim, and what draws ghost text in it."""

    name: str
    binary: Path
    backend: str

    @property
    def has_builtin(self) -> bool:
        """Whether ghost text is Neovim's own."""
        return self.backend == "builtin"


def _lane(version: str, backend: str) -> Lane:
    binary = NVIM if version == "0.11" else neovim_012()
    if isinstance(binary, str):
        pytest.skip(binary)
    return Lane(f"Neovim {version}, {backend}", binary, backend)


@pytest.fixture(params=["0.11", "0.12", "0.12 without its own"])
def lane(request: pytest.FixtureRequest) -> Lane:
    """Each way in which ghost text comes to the screen."""
    version = request.param.split()[0]
    return _lane(version, "builtin" if request.param == "0.12" else "own")


@pytest.fixture(params=["0.11", "0.12"])
def nvim(request: pytest.FixtureRequest) -> Path:
    """Each version of Neovim, for what has nothing to do with ghost text."""
    return _lane(request.param, "own").binary


@dataclass
class Desk:
    """A person at an editor, and the engine that answers there."""

    person: Window
    engine: FakeEngine
    file: Path


StartWork = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture
def at_work(tmp_path: Path, _own_home: Path) -> StartWork:
    """
    Return what opens a file in a Neovim with the plugin, the server and a fake engine.

    `at_work(binary, text, name="mean.py", setup="{}", before="", size=(80, 24))`
    """
    model = make_tokenizer_folder(tmp_path / "model")

    @asynccontextmanager
    async def work(
        binary: Path,
        text: str | bytes,
        name: str = "mean.py",
        *,
        setup: str = "{}",
        before: str = "",
        size: tuple[int, int] = (80, 24),
    ) -> AsyncIterator[Desk]:
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        file = folder / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        # Its socket is in the short folder: `tmp_path` may be too long for one.
        async with FakeEngine(_own_home / "engine.sock") as engine:
            variables = scripted(engine, model)
            options: Any = {"setup": setup, "before": before, "size": size}
            async with window(binary, folder, file, environment=variables, **options) as person:
                await person.holds(ATTACHED)
                await engine.leased()
                yield Desk(person, engine, file)

    return work


def own_ghost_text(backend: str, more: str = "") -> str:
    """Return the table for `setup()` that chooses what draws ghost text, with more in it."""
    return f"{{ ghost_text = {{ backend = '{backend}' }}, {more} }}"


_KEYS = pytest.StashKey[list[str]]()


@pytest.fixture
def key_times(pytestconfig: pytest.Config) -> list[str]:
    """Where to note how fast ghost text came, for the end of the run."""
    return pytestconfig.stash.setdefault(_KEYS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how fast ghost text came."""
    if lines := terminalreporter.config.stash.get(_KEYS, []):
        terminalreporter.section("ghost text in editors")
        for line in lines:
            terminalreporter.write_line(line)
