"""Plays sessions to a server and holds its answers against the oracle."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from opencoder_lsp.lsp.documents import Documents
from opencoder_lsp.lsp.framing import Frames, frame
from tests.fakes.engine import FakeEngine
from tests.fuzz.case import Case, Step
from tests.fuzz.oracle import Key, Oracle, is_id

INTERNAL_ERROR = -32603
CHUNKS = random.Random(0)  # where writes are cut; a case has to go well with any


class Wrong(Exception):
    """The server did what it must not do; the first line names the kind of it."""


class Player:
    """
    One session. `documents` are the server's own, where it runs in this process.

    A server that takes longer than `hang` seconds for anything counts as hung.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        engine: FakeEngine,
        hang: float,
        documents: Callable[[], Documents] | None = None,
    ) -> None:
        self.oracle = Oracle()
        self.longest = 0.0  # seconds that an answer was waited for
        self._reader, self._writer = reader, writer
        self._engine = engine
        self._hang = hang
        self._documents = documents
        self._answered = Counter[Key]()
        self._nameless = 0
        self._noises = 0  # each of which may be answered once
        self._settled = 0
        self._policy = "null"
        self._late: list[bytes] = []  # responses for later
        self._writing = asyncio.Lock()
        self._news = asyncio.Event()
        self._problem: Wrong | None = None
        self._receiving = asyncio.create_task(self._receive())

    async def play(self, case: Case, exited: "asyncio.Future[int]") -> None:
        """Play a session to its end, which `exited` announces; raises Wrong."""
        for step in case.steps:
            await self._step(step)
        if case.end == "exit":
            await self._send({"jsonrpc": "2.0", "method": "exit"})
        else:
            self.oracle.ended = True
            self._writer.close()
        done, _ = await asyncio.wait({exited}, timeout=self._hang)
        if not done:
            raise Wrong(f"hang: no end {self._hang:g} s after {case.end}")
        if exited.result() != (0 if self.oracle.shut else 1):
            raise Wrong(f"exit code {exited.result()}")
        self._writer.close()

    async def close(self) -> None:
        """Read what is left, now that the server has closed its end; raises Wrong."""
        await self._receiving
        self._check_problem()
        if more := self._answered - self.oracle.expected:
            raise Wrong(f"answered too often\n{more}")

    # Steps.

    async def _step(self, step: Step) -> None:
        match step:
            case ["send", message]:
                await self._send(message)
            case ["body", text]:
                await self._send_body(text)
            case ["noise", text]:
                self._noises += 1
                await self._write(text.encode("latin-1"))
            case ["engine", what, *details]:
                self._direct(what, *details)
            case ["respond", how]:
                self._policy = how
            case ["turn", count]:
                for _ in range(count):
                    await asyncio.sleep(0)
            case ["settle"]:
                await self._settle()
            case _:
                raise AssertionError(f"no such step: {step[0]}")
        self._check_problem()

    async def _send(self, message: Any) -> None:
        first = _is_initialize(message) and self.oracle.encoding is None
        # As it is read: two halves of a pair that meet in a text come out as one character.
        self.oracle.take(json.loads(json.dumps(message)))
        await self._write(frame(message))
        if first and not self.oracle.shut:  # what comes next depends on the answer
            key = type(message["id"]), message["id"]
            await self._until(lambda: self._answered[key] >= self.oracle.expected[key])

    async def _send_body(self, text: str) -> None:
        try:
            self.oracle.take(json.loads(text, parse_constant=_refuse))
        except (ValueError, RecursionError):
            self.oracle.nameless += bool(text)
            self._noises += 1  # it may be taken for one with a wrong length
        body = text.encode("utf-8", "surrogatepass")
        await self._write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _write(self, data: bytes) -> None:
        """Write all of it, perhaps in two parts, before anything else is written."""
        cut = CHUNKS.randrange(len(data) + 1) if CHUNKS.random() < 0.1 else len(data)
        async with self._writing:
            for part in filter(None, (data[:cut], data[cut:])):
                self._writer.write(part)
                await asyncio.wait_for(self._writer.drain(), self._hang)
                await asyncio.sleep(0)

    def _direct(self, what: str, *details: Any) -> None:
        """Tell the engine what to do next."""
        engine = self._engine
        acts: dict[str, Callable[..., None]] = {
            "answer": engine.answer,
            "pause": engine.pause_after,
            "hold": engine.hold,
            "resume": engine.resume,
            "fail": engine.fail_with,
            "die": engine.die_mid_stream,
            "error": lambda: engine.error_mid_stream("scripted"),
            "no_done": engine.end_without_done,
            "cut": engine.abort_connections,
        }
        acts[what](*details)

    async def _settle(self) -> None:
        """Wait until everything sent is answered, then compare."""
        self._engine.resume()
        self._settled += 1
        barrier = {"jsonrpc": "2.0", "id": f"settled-{self._settled}", "method": "$/settled"}
        self.oracle.take(barrier)
        await self._write(b"\r\n" + frame(barrier))  # an empty line ends any header begun by noise
        await self._say_late()
        await self._until(lambda: not self.oracle.expected - self._answered)
        if more := self._answered - self.oracle.expected:
            raise Wrong(f"answered too often\n{more}")
        few, many = self.oracle.nameless, self.oracle.nameless + self._noises
        if not few - self._noises <= self._nameless <= many:
            raise Wrong(f"{self._nameless} answers without id, not {few} to {many}")
        self._compare()

    def _compare(self) -> None:
        if self._documents is None or self.oracle.encoding is None or self.oracle.shut:
            return
        theirs = self._documents()
        for uri, ours in self.oracle.documents.items():
            if not ours.sure:
                continue
            document = theirs.get(uri)
            if document is None:
                raise Wrong(f"document lost\n{uri}")
            if document.text != ours.reference.text:
                raise Wrong(f"text differs\n{document.text!r}\n{ours.reference.text!r}")
            if (document.in_sync, document.version) != (ours.in_sync, ours.version):
                raise Wrong(f"state differs\n{document.in_sync}, {document.version}")
        if more := {one.uri for one in theirs} - set(self.oracle.documents):
            raise Wrong(f"document that nobody has opened\n{more}")

    # What comes.

    async def _until(self, condition: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._hang):
                while not condition():
                    self._check_problem()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            missing = self.oracle.expected - self._answered
            raise Wrong(f"hang: no answer within {self._hang:g} s\n{missing}") from None
        self.longest = max(self.longest, loop.time() - began)

    def _check_problem(self) -> None:
        if self._problem is not None:
            raise self._problem

    async def _receive(self) -> None:
        frames = Frames()
        try:
            while data := await self._reader.read(1 << 16):
                for item in frames.feed(data):
                    await self._take(item)
                self._news.set()
        except Wrong as problem:
            self._problem = problem
        self._news.set()

    async def _take(self, item: Any) -> None:
        if not isinstance(item, dict):
            raise Wrong(f"not a message\n{item}")
        if "method" in item:
            if "id" in item:
                await self._respond(item["id"])
            return
        if item.get("error", {}).get("code") == INTERNAL_ERROR:
            raise Wrong(f"internal error\n{item['error']['message']}")
        if item["id"] is None:
            self._nameless += 1
            return
        key = type(item["id"]), item["id"]
        self._answered[key] += 1
        capabilities = (item.get("result") or {}) if isinstance(item.get("result"), dict) else {}
        if "serverInfo" in capabilities and self.oracle.encoding is None:
            encoding = capabilities["capabilities"].get("positionEncoding")
            self.oracle.encoding = encoding or "utf-16"

    async def _respond(self, id: Any) -> None:
        response = {"jsonrpc": "2.0", "id": id}
        error = {**response, "error": {"code": -32603, "message": "no"}}
        odd = {**response, "result": {"success": "x", "x": [1]}}
        if self._policy == "late":
            self._late.append(frame({**response, "result": None}))
            return
        said = {"error": error, "odd": odd}.get(self._policy, {**response, "result": None})
        for _ in range(2 if self._policy == "twice" else 1):
            with suppress(ConnectionError):  # it has ended meanwhile
                if not self._writer.is_closing():
                    await self._write(frame(said))

    async def _say_late(self) -> None:
        self._policy = "null" if self._policy == "late" else self._policy
        late, self._late = self._late, []
        for response in late:
            await self._write(response)


def _is_initialize(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.get("jsonrpc") == "2.0"
        and message.get("method") == "initialize"
        and is_id(message.get("id"))
    )


def _refuse(name: str) -> Any:
    raise ValueError(name)
