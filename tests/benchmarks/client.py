"""An editor that does nothing but type: LSP over pipes, written by hand so that little is timed."""

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.keys import Press

URI = "file:///work/slots.py"


class Asked:
    """
    A request on its way: `seconds` from sending it to its answer, which is in `done`.

    `result` is what the answer has, None also for an error, as the one for a cancelled request.
    """

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.seconds = 0.0
        self.result: Any = None
        self.done = asyncio.Event()

    def finish(self, result: Any) -> None:
        """Take the answer."""
        self.seconds = time.perf_counter() - self.began
        self.result = result
        self.done.set()


class Client:
    """One server process, for an `async with` block. `environment` comes on top of ours."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**os.environ, **environment}
        self._asked: dict[int, Asked] = {}
        self._heard: dict[str, list[float]] = {}
        self._ids = itertools.count(1)
        self._version = 1
        self._ready = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "opencoder_lsp"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            limit=2**26,
        )
        self._reading = asyncio.create_task(self._read())
        await self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "capabilities": {"textDocument": {"inlineCompletion": {}}},
                "initializationOptions": {"settings": {}, "statusNotifications": True},
            },
        )
        self._send("initialized", {})
        await self._ready.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._reading is not None
        if kind is None and not self._reading.done():
            await self.request("shutdown", None)
            self._send("exit", None)
        elif self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        self._reading.cancel()

    def open(self, text: str) -> None:
        """Open a document."""
        item = {"uri": URI, "languageId": "python", "version": self._version, "text": text}
        self._send("textDocument/didOpen", {"textDocument": item})

    def press(self, press: Press) -> Asked:
        """Make the change of a key, if it makes one, and ask at the cursor."""
        if press.text or press.start != press.end:
            self._version += 1
            span = {"start": _position(press.start), "end": _position(press.end)}
            change = {"range": span, "text": press.text}
            document = {"uri": URI, "version": self._version}
            self._send(
                "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
            )
        params = {
            "textDocument": {"uri": URI},
            "position": _position(press.cursor),
            "context": {"triggerKind": 2},
        }
        return self.ask("textDocument/inlineCompletion", params)

    def ask(self, method: str, params: Any) -> Asked:
        """Send a request."""
        number = next(self._ids)
        asked = self._asked[number] = Asked()
        self._send(method, params, number)
        return asked

    def cancel(self, asked: Asked) -> None:
        """Cancel a request that is under way."""
        for number, other in self._asked.items():
            if other is asked:
                self._send("$/cancelRequest", {"id": number})

    async def request(self, method: str, params: Any) -> Any:
        """Send a request and return its result."""
        asked = self.ask(method, params)
        await asked.done.wait()
        return asked.result

    def listen(self, token: str) -> list[float]:
        """Return a list into which the time of each progress on a token is going to be put."""
        return self._heard.setdefault(token, [])

    async def tally(self) -> dict[str, int]:
        """Return how the server has answered its requests so far."""
        params = {"command": "opencoder.status", "arguments": []}
        status = await self.request("workspace/executeCommand", params)
        tally: dict[str, int] = status["requests"]
        return tally

    def _send(self, method: str, params: Any, number: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self._write(message if number is None else {**message, "id": number})

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := await stream.readuntil(b"\r\n\r\n"):
            length = int(header.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            message = json.loads(await stream.readexactly(length))
            if "method" not in message:
                self._asked.pop(message["id"]).finish(message.get("result"))
            elif "id" in message:
                self._write({"jsonrpc": "2.0", "id": message["id"], "result": None})
            elif message["method"] == "$/progress":
                self._heard[message["params"]["token"]].append(time.perf_counter())
            elif message["method"] == "opencoder/status" and message["params"]["kind"] == "ready":
                self._ready.set()


def _position(position: tuple[int, int]) -> dict[str, int]:
    return {"line": position[0], "character": position[1]}
