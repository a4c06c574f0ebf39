"""A language server process and its pipes, driven as fast as it goes."""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self

import psutil

from opencoder_lsp.lsp.framing import Frames, frame
from tests.loads.processes import TIMEOUT

URI = "file:///project/module.py"
OURS = (sys.executable, "-m", "opencoder_lsp")
CAPABILITIES: dict[str, Any] = {"textDocument": {"inlineCompletion": {}}}
METHOD_NOT_FOUND = -32601
# A completion is one request of the engine's, made at once.
ONE = {"completion": {"choices": 1, "ahead": False, "debounce": 0}}

Id = int | str


class Gone(Exception):
    """The server has closed its output before it answered."""


class Front:
    """
    The server for the length of an `async with` block, at the end of which it is shut down.

    `answers` counts the responses to each id, `shown` are the texts of its messages to the user,
    and what it asks of the editor is answered with null.
    """

    def __init__(self, env: dict[str, str], command: Sequence[str] = OURS) -> None:
        self.answers = Counter[Id | None]()
        self.shown: list[str] = []
        self.status: dict[str, Any] = {}
        self._env = env
        self._command = command
        self._waiting: dict[Id, asyncio.Future[dict[str, Any]]] = {}
        self._next_id = 0
        self._news = asyncio.Event()
        self._gone = False

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe, env=self._env
        )
        assert self.process.stderr is not None
        self._log = asyncio.create_task(self.process.stderr.read())  # or it would stop at a log
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        try:
            if kind is None:
                await self.request("shutdown")
                self.notify("exit")
                assert await asyncio.wait_for(self.process.wait(), TIMEOUT) == 0
        finally:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()
            await asyncio.gather(self._reading, self._log)
            assert self.process.stdin is not None
            self.process.stdin.close()

    @property
    def usage(self) -> psutil.Process:
        """The process, to be measured."""
        return psutil.Process(self.process.pid)

    @property
    def unanswered(self) -> int:
        """How many requests have no answer yet."""
        return len(self._waiting)

    async def initialize(self, **params: Any) -> dict[str, Any]:
        """Open the session and return the answer to `initialize`."""
        options = {"statusNotifications": True, "settings": params.pop("settings", ONE)}
        given = {"processId": os.getpid(), "rootUri": None, "capabilities": CAPABILITIES}
        response = await self.request(
            "initialize", {**given, "initializationOptions": options, **params}
        )
        self.notify("initialized", {})
        return response

    async def ready(self) -> None:
        """Wait until the server says that its engine is ready."""
        await self.until(lambda: self.status.get("kind") in ("ready", "error"))
        assert self.status["kind"] == "ready", self.status

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on what has come holds; raises Gone."""
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                if self._gone:
                    raise Gone
                self._news.clear()
                await self._news.wait()

    def write(self, data: bytes) -> None:
        """Write bytes."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.write(frame({"jsonrpc": "2.0", "method": method, "params": params}))

    def request(
        self, method: str, params: Any = None, request_id: Id | None = None
    ) -> "asyncio.Future[dict[str, Any]]":
        """Send a request and return the future of its whole response, which raises Gone."""
        if request_id is None:
            self._next_id += 1
            request_id = self._next_id
        answer = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        if self._gone:
            self._give_up()
        else:
            message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
            self.write(frame(message))
        return answer

    async def ping(self) -> None:
        """Return when everything sent so far has been handled."""
        answer = await self.request("$/ping")
        assert answer["error"]["code"] == METHOD_NOT_FOUND

    # What an editor does.

    def open(self, text: str, uri: str = URI) -> None:
        """Open a document of version 1."""
        item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, version: int, change: dict[str, Any], uri: str = URI) -> None:
        """Change a document."""
        self.write(frame(changed(version, change, uri)))

    def complete(
        self, line: int, character: int, uri: str = URI, request_id: Id | None = None
    ) -> "asyncio.Future[dict[str, Any]]":
        """Ask for an inline completion."""
        params = {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": 1},
        }
        return self.request("textDocument/inlineCompletion", params, request_id)

    def cancel(self, request_id: Id) -> None:
        """Cancel a request."""
        self.notify("$/cancelRequest", {"id": request_id})

    def command(self, name: str, arguments: Any = None) -> "asyncio.Future[dict[str, Any]]":
        """Run one of our commands."""
        params = {"command": f"opencoder.{name}", "arguments": [arguments or {}]}
        return self.request("workspace/executeCommand", params)

    def chat(self, message: str, **arguments: Any) -> "asyncio.Future[dict[str, Any]]":
        """Say something."""
        return self.command("chat", {"message": message, **arguments})

    # What comes.

    async def _read(self) -> None:
        assert self.process.stdout is not None
        frames = Frames()
        while data := await self.process.stdout.read(1 << 16):
            for item in frames.feed(data):
                assert isinstance(item, dict), item
                self._receive(item)
            self._news.set()
        self._gone = True
        self._give_up()
        self._news.set()

    def _give_up(self) -> None:
        """Fail what waits: no answer comes any more."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Gone())
                answer.exception()  # seen, should nobody wait for it any more

    def _receive(self, item: dict[str, Any]) -> None:
        if "method" not in item:
            self.answers[item["id"]] += 1
            answer = self._waiting.pop(item["id"], None)
            if answer is not None and not answer.done():
                answer.set_result(item)
        elif "id" in item:
            self.write(frame({"jsonrpc": "2.0", "id": item["id"], "result": None}))
        elif item["method"] == "window/showMessage":
            self.shown.append(item["params"]["message"])
        elif item["method"] == "opencoder/status":
            self.status = item["params"]


def changed(version: int, change: dict[str, Any], uri: str = URI) -> dict[str, Any]:
    """Return the message of one change of a document."""
    params = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]}
    return {"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params}


def insertion(line: int, character: int, text: str, removed: int = 0) -> dict[str, Any]:
    """Return a change that puts text in place of so many characters of a line."""
    end = {"line": line, "character": character + removed}
    return {"range": {"start": {"line": line, "character": character}, "end": end}, "text": text}


async def timed(answer: "asyncio.Future[dict[str, Any]]") -> tuple[float, dict[str, Any]]:
    """Return how many seconds it took from now on, and the response."""
    began = time.perf_counter()
    response = await asyncio.wait_for(answer, TIMEOUT)
    return time.perf_counter() - began, response
