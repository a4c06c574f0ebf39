"""`opencoder-lsp serve` as a process of its own."""

import asyncio
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Self


class ServeProcess:
    """The command, in an `async with` that waits until its engine is ready and ends it again."""

    def __init__(self, env: Mapping[str, str], *arguments: str) -> None:
        self._env = env
        self._command = [sys.executable, "-m", "opencoder_lsp", "--verbose"]
        self._command += ["serve", "--port", "0", *arguments]
        self.lines: list[str] = []
        self.log = ""
        self.port = 0

    @property
    def url(self) -> str:
        """What clients call the base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=dict(self._env),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await self.says(" is ready")
        found = re.search(r"http://[^/]+:(\d+)/v1", self.lines[0])
        assert found
        self.port = int(found[1])
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._process.returncode is None:
            assert await self.end() == 0

    async def says(self, text: str) -> str:
        """Wait for a line of its output that has this text."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        while line := (await self._process.stdout.readline()).decode():
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError((await self._process.stderr.read()).decode())

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self._process.send_signal(number)
        return await self.ended()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for the end and return the exit code."""
        out, err = await self._process.communicate()
        self.lines += out.decode().splitlines(keepends=True)
        self.log = err.decode()
        assert self._process.returncode is not None
        return self._process.returncode


async def run(env: Mapping[str, str], arguments: Sequence[str]) -> tuple[int, str]:
    """Run the command to its end; return exit code and standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opencoder_lsp", "serve", *arguments),
        env=dict(env),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, err.decode()
