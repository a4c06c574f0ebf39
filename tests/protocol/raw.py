"""A server process and its pipes, for messages that no client library would send."""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

from opencoder_lsp.lsp.framing import Frames, frame

TIMEOUT = 60.0  # seconds

INITIALIZE: dict[str, Any] = {
    "processId": None,
    "rootUri": None,
    "capabilities": {"textDocument": {"inlineCompletion": {}}},
}


class RawServer:
    """
    The server for the length of an `async with` block; it is killed at the end of it.

    What it says on standard error is kept for `errors`, unless that is a file descriptor of yours.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: dict[str, str],
        *,
        stderr: int = asyncio.subprocess.PIPE,
    ) -> None:
        self._command = command
        self._env = env
        self._stderr = stderr
        self._errors: asyncio.Task[bytes] | None = None
        self._frames = Frames()
        self._items: list[Any] = []

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=self._stderr, env=self._env
        )
        if self.process.stderr is not None:
            self._errors = asyncio.create_task(self.process.stderr.read())
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self.process.stdout is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.stdout.read()  # asyncio counts a process as ended when its pipes are
        await self.process.wait()
        if self._errors is not None:
            await self._errors
        assert self.process.stdin is not None
        self.process.stdin.close()

    def write(self, data: bytes) -> None:
        """Write bytes."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def send(self, method: str, params: Any = None, request_id: Any = None) -> None:
        """Send a request, or without an id a notification."""
        message = {"jsonrpc": "2.0", "method": method, "params": params, "id": request_id}
        self.write(frame({name: value for name, value in message.items() if value is not None}))

    async def receive(self) -> dict[str, Any]:
        """Return the next message; EOFError after the last."""
        assert self.process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            while not self._items:
                data = await self.process.stdout.read(65536)
                if not data:
                    raise EOFError
                self._items += self._frames.feed(data)
        item: dict[str, Any] = self._items.pop(0)
        return item

    async def response(self, request_id: Any) -> dict[str, Any]:
        """Return the next response to this id, passing over what is no response."""
        while True:
            message = await self.receive()
            if "method" not in message and message.get("id") == request_id:
                return message

    async def request(self, request_id: Any, method: str, params: Any = None) -> dict[str, Any]:
        """Send a request and return its response."""
        self.send(method, params, request_id)
        return await self.response(request_id)

    async def initialize(self, **params: Any) -> dict[str, Any]:
        """Initialize the session; the id is "init"."""
        response = await self.request("init", "initialize", {**INITIALIZE, **params})
        self.send("initialized", {})
        return response

    def close_input(self) -> None:
        """End the server's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def exited(self) -> int:
        """Wait for the server's end and return its exit code."""
        async with asyncio.timeout(TIMEOUT):
            return await self.process.wait()

    async def errors(self) -> str:
        """Return what was written to standard error, once the server has ended."""
        assert self._errors is not None
        async with asyncio.timeout(TIMEOUT):
            return (await self._errors).decode()
