"""A program on a terminal of its own: what it shows, and keys that are typed."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

TIMEOUT = 60.0  # seconds for anything that somebody at a terminal waits for
CTRL_C, CTRL_D, CTRL_U, UP = "\x03", "\x04", "\x15", "\x1b[A"
# Colours, movements of the cursor, links: ECMA-48, "CSI", and OSC of xterm.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\].*?(?:\x07|\x1b\\)|[@-Z\\^_=>])")


class Terminal:
    """A running program; `shown` is what it has written since, without colours and movements."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self._master = master
        self._written = b""
        self._read = 0
        self._over = False  # whether all is read that the program has written
        self._change = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._on_output)

    @property
    def shown(self) -> str:
        """All that was written since what `until` found last."""
        text = self._written.decode("utf-8", "replace")
        return _SEQUENCE.sub("", text)[self._read :]

    @property
    def raw(self) -> str:
        """All that was written, as it is."""
        return self._written.decode("utf-8", "replace")

    def type(self, keys: str) -> None:
        """Type keys; Enter is `\\r`."""
        os.write(self._master, keys.encode())

    async def until(self, text: str, *, stay: bool = False) -> None:
        """Wait until a text is shown, behind the one that was waited for last; pass it or stay."""
        async with asyncio.timeout(TIMEOUT):
            while (place := self.shown.find(text)) < 0:
                assert not self._over, f"ended without {text!r}: {self.shown}"
                self._change.clear()
                await self._change.wait()
        self._read += 0 if stay else place + len(text)

    async def ended(self) -> int:
        """Wait for the end of the program and return its exit code."""
        async with asyncio.timeout(TIMEOUT):
            return await self.process.wait()

    def _on_output(self) -> None:
        try:
            self._written += os.read(self._master, 65536)
        except OSError:  # EIO: nobody has the other end any more
            self._over = True
            asyncio.get_running_loop().remove_reader(self._master)
        self._change.set()

    def close(self) -> None:
        """Take the terminal away."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)


@asynccontextmanager
async def terminal(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Terminal]:
    """Run a command on a new terminal, whose keys are its standard input."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", **(environment or {})},
        start_new_session=True,
        # So that Ctrl-C is a signal to the program, as in a user's terminal.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    one = Terminal(process, master)
    try:
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        one.close()
