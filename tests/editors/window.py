"""A person at a real Neovim: keys go in, what the screen shows comes out."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgpack

from tests.editors.neovim import QUIET
from tests.editors.screen import Screen

PLUGIN = Path(__file__).parents[2] / "editors" / "neovim"
WIDTH, HEIGHT = 80, 24
_PATIENCE = 60.0  # seconds until something must be on the screen


class Window:
    """A Neovim with a screen, spoken to by its msgpack-RPC (`:help rpc`) on its standard pipes."""

    def __init__(self, process: asyncio.subprocess.Process, screen: Screen) -> None:
        self.screen = screen
        self.frames: list[str] = []  # every text that the screen has shown
        self._process = process
        self._numbers = count()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def type(self, keys: str) -> None:
        """Type keys, in Neovim's notation (`ggA<Tab>`)."""
        await self.call("nvim_input", keys)

    async def lua(self, code: str, *arguments: object) -> Any:
        """Run a chunk of Lua and return what it returns."""
        return await self.call("nvim_exec_lua", code, list(arguments))

    async def lines(self) -> list[str]:
        """Return the lines of the current buffer."""
        return list(await self.call("nvim_buf_get_lines", 0, 0, -1, False))

    async def shows(self, text: str) -> None:
        """Wait until a text is on the screen."""
        await self.until(lambda screen: text in screen.text, f"{text!r} to be shown")

    async def hides(self, text: str) -> None:
        """Wait until a text is not on the screen."""
        await self.until(lambda screen: text not in screen.text, f"{text!r} to go")

    async def until(self, condition: Callable[[Screen], bool], what: str = "the screen") -> None:
        """Wait until the screen is as a condition wants it; it is looked at whenever it changes."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not condition(self.screen):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"waited for {what}:\n{self.screen.text}") from None

    async def holds(self, expression: str) -> None:
        """Wait until a Lua expression is true; it is looked at after each turn of the editor."""
        end = time.monotonic() + _PATIENCE
        while not await self.lua(f"return ({expression}) and true or false"):
            assert time.monotonic() < end, f"never held: {expression}\n{self.screen.text}"
            await asyncio.sleep(0.01)

    async def call(self, function: str, *arguments: object) -> Any:
        """Call a function of Neovim's API and return what it returns."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(msgpack.packb([0, number, function, arguments]))
        async with asyncio.timeout(_PATIENCE):
            return await answer

    async def leave(self) -> None:
        """End Neovim, whatever it is doing."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgpack.packb([2, "nvim_command", ["qall!"]]))
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._reading
        finally:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        messages = msgpack.Unpacker(ext_hook=lambda code, data: (code, data))
        while data := await self._process.stdout.read(65536):
            messages.feed(data)
            for message in messages:
                self._take(message)

    def _take(self, message: list[Any]) -> None:
        kind, *rest = message
        if kind == 1:
            number, error, result = rest
            answer = self._answers.pop(number)
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(AssertionError(f"Neovim says: {error[1]}"))
        elif rest[0] == "redraw" and self.screen.take(rest[1]):
            self.frames.append(self.screen.text)
            self._changed.set()


def _configuration(setup: str, before: str) -> str:
    return "\n".join(
        [
            QUIET,
            f"vim.opt.runtimepath:prepend({str(PLUGIN)!r})",
            "vim.o.shortmess = vim.o.shortmess .. 'I'",
            "vim.o.cmdheight = 3",  # so that no message wants to be confirmed
            before,
            f"require('opencoder').setup({setup})" if setup else "",
        ]
    )


@asynccontextmanager
async def window(
    binary: Path,
    folder: Path,
    *files: Path,
    setup: str = "{}",
    before: str = "",
    environment: Mapping[str, str] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> AsyncIterator[Window]:
    """
    Open files in a Neovim with the plugin; `folder` is its home and working folder.

    `setup` is the table (Lua) for the plugin's `setup()`, which is not called where that is "";
    `before` is Lua that runs first.
    """
    init = folder / "init.lua"
    init.write_text(_configuration(setup, before), encoding="utf-8")
    own = {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    # `opencoder-lsp` must be on PATH, as for a user.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *map(str, (binary, "--embed", "-n", "-i", "NONE", "-u", init, *files)),
        cwd=folder,
        env={**os.environ, **(environment or {}), **own, "PATH": path},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    editor = Window(process, Screen(*size))
    try:
        await editor.call("nvim_ui_attach", *size, {"rgb": True, "ext_linegrid": True})
        yield editor
    finally:
        await editor.leave()
