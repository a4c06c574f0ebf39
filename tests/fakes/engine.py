"""
A scripted engine on a Unix socket: the wire contract of the real one, without a model.

    async with FakeEngine(tmp_path / "engine.sock") as fake:
        fake.answer("return a + b\n")       # the next request gets this, the ones after `default`
        fake.pause_after(2)                 # answers stop after two pieces, until `fake.resume()`

It lives in the event loop of the test, and serves a language server that runs as a subprocess with
`OPENCODER_ENGINE_URL` set to `fake.url`. A word with the blanks after it is one piece and counts
as one token. An answer begins with the request's `forced_prefix`, as the real engine's does.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.fakes.answers import Answer, choices, error_object, refusal, split, usage
from tests.fakes.sse import EventStream
from tests.fakes.unix_server import UnixServer

KEEP_ALIVE = 15.0  # seconds between words on a lease, as the real engine has it


class FakeEngine:
    """See the module. Every method but those that are awaited acts at once."""

    def __init__(self, path: Path, *, default: str = "fake .answer", **health: Any) -> None:
        self.path = path
        self.default = default
        self.health: dict[str, Any] = {
            "state": "ready",
            "progress": 1.0,
            "cause": None,
            "model": "fake",
            "folder": "/nowhere/fake",
            "version": "0.0.0",
            "pid": os.getpid(),
            "context_length": 2048,
            "prompt_tokens_auto": 1024,
            "device": "cpu",
            "dtype": "float32",
            **health,
        }
        self.metrics = ""  # what `/metrics` says
        self.readings = 0  # of `/metrics`
        self.requests: list[dict[str, Any]] = []
        self.running = 0  # requests that are being answered, paused ones included
        self.cancellations = 0  # requests whose client left before the end
        self.finished = 0  # requests answered to their end, failures included
        self.leases = 0  # open `GET /events`
        self.told = 0  # health events sent on leases
        self.beats = 0  # comments sent on leases
        self.holding = 0  # requests that stand still because of `hold` or `pause_after`
        self._answers = deque[Answer]()
        self._hold = False
        self._pause_after: int | None = None
        self._change = asyncio.Event()
        self._server = UnixServer(self._app(), path, self._note)

    @property
    def url(self) -> str:
        """The address of this engine, for `engine.url` and `EngineClient`."""
        return f"unix:{self.path}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._server.connections

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    # The script.

    def answer(self, text: str | Sequence[str], **how: Any) -> None:
        """
        Queue an answer: a text, or the very pieces to send.

        `how` is fields of Answer, as `finish_reason="length"`, `cached_tokens=7`, or `exact=True`
        to leave the forced prefix away, or `others=["second", "third"]` for a request with `n`.
        """
        self._answers.append(Answer(split(text), **how))

    def fail_with(
        self,
        status: int,
        message: str = "scripted failure",
        *,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Answer the next request with an HTTP error."""
        failure = Answer(status=status, message=message, code=code, retry_after=retry_after)
        self._answers.append(failure)

    def die_mid_stream(self, text: str | Sequence[str] = "half an ") -> None:
        """Cut the next request's connection after `text`."""
        self.answer(text, end="die")

    def error_mid_stream(self, message: str, text: str | Sequence[str] = "half an ") -> None:
        """End the next request's stream with an error event after `text`."""
        self.answer(text, end="error", message=message)

    def end_without_done(self, text: str | Sequence[str] = "half an ") -> None:
        """End the next request's stream properly, but without `[DONE]`."""
        self.answer(text, end="no_done")

    def hold(self) -> None:
        """Let requests wait before their response begins, until `resume`."""
        self._hold = True

    def pause_after(self, pieces: int) -> None:
        """Let every stream stand still after that many pieces, until `resume`."""
        self._pause_after = pieces

    def resume(self) -> None:
        """Undo `hold` and `pause_after`."""
        self._hold, self._pause_after = False, None
        self._note()

    def set_health(self, **changes: Any) -> None:
        """Change what `/health` says and push it on `/events`."""
        self.health = {**self.health, **changes}
        self._note()

    def abort_connections(self) -> None:
        """Cut every connection, leases included."""
        self._server.abort_connections()

    # What happened.

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on this object's counters holds."""
        while not condition():
            await self._change.wait()

    async def requested(self, count: int = 1) -> dict[str, Any]:
        """Wait for the `count`th request since the start and return its body."""
        await self.until(lambda: len(self.requests) >= count)
        return self.requests[count - 1]

    async def paused(self, count: int = 1) -> None:
        """Wait until `count` requests stand still."""
        await self.until(lambda: self.holding >= count)

    async def cancelled(self, count: int = 1) -> None:
        """Wait until `count` clients, since the start, have left before the end."""
        await self.until(lambda: self.cancellations >= count)

    async def leased(self, count: int = 1) -> None:
        """Wait until exactly `count` leases are open."""
        await self.until(lambda: self.leases == count)

    async def disconnected(self) -> None:
        """Wait until no connection is open."""
        await self.until(lambda: self.connections == 0)

    def _note(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    # The routes.

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", self._health),
                Route("/events", self._events),
                Route("/metrics", self._metrics),
                Route("/v1/models", self._models),
                Route("/v1/completions", self._completions, methods=["POST"]),
            ]
        )

    def _status(self) -> dict[str, Any]:
        return {**self.health, "running": self.running, "waiting": 0}

    async def _health(self, request: Request) -> Response:
        return JSONResponse(self._status())

    async def _metrics(self, request: Request) -> Response:
        self.readings += 1
        self._note()
        return PlainTextResponse(self.metrics)

    async def _models(self, request: Request) -> Response:
        model = {"id": self.health["model"], "object": "model", "created": 0, "owned_by": "fake"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _events(self, request: Request) -> Response:
        return EventStream(self._lease)

    async def _lease(self, stream: EventStream) -> None:
        self.leases += 1
        self._note()
        try:
            while True:
                told = self.health
                await stream.send(self._status())
                self.told += 1
                self._note()
                while self.health is told:
                    await self._change_or_beat(stream)
        finally:
            self.leases -= 1
            self._note()

    async def _change_or_beat(self, stream: EventStream) -> None:
        try:
            async with asyncio.timeout(KEEP_ALIVE):
                await self._change.wait()
        except TimeoutError:
            await stream.keep_alive()
            self.beats += 1
            self._note()

    async def _completions(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ClientDisconnect:
            self.cancellations += 1
            self._note()
            return Response()
        self.requests.append(body)
        answer = self._answers.popleft() if self._answers else Answer()
        if not body.get("stream"):
            answer.end = "die" if answer.end == "no_done" else answer.end
        return EventStream(lambda stream: self._answer(stream, body, answer))

    async def _answer(self, stream: EventStream, body: dict[str, Any], answer: Answer) -> None:
        self.running += 1
        self._note()
        try:
            await self._stand_still(lambda: self._hold)
            if self.health["state"] != "ready" or answer.status != 200:
                await stream.refuse(*refusal(self.health, answer))
            else:
                await self._speak(stream, body, answer)
            self.finished += 1
        except asyncio.CancelledError:
            self.cancellations += 1
            raise
        finally:
            self.running -= 1
            self._note()

    async def _speak(self, stream: EventStream, body: dict[str, Any], answer: Answer) -> None:
        spoken = list(choices(body, answer, self.default))
        whole = body.get("stream") is not True
        await stream.begin("application/json" if whole else "text/event-stream")
        for number in range(max(len(choice.pieces) for choice in spoken) + 1):
            await self._stand_still(lambda n=number: self._pause_after == n)  # type: ignore[misc]
            for choice in spoken:
                if number < len(choice.pieces) and not whole:
                    await stream.send(self._object(choice.part(number)))
        if answer.end == "die":
            return
        if answer.end == "error":
            await stream.send({"error": error_object(answer.message, "engine_error", answer.code)})
        if answer.end == "done":
            used = {"usage": usage(body, answer, spoken)}
            if whole:
                await stream.write_json(self._object(*(c.whole() for c in spoken)) | used)
            else:
                for choice in spoken[:-1]:
                    await stream.send(self._object(choice.end()))
                await stream.send(self._object(spoken[-1].end()) | used, done=True)
        await stream.end()

    async def _stand_still(self, condition: Callable[[], bool]) -> None:
        if not condition():
            return
        self.holding += 1
        self._note()
        try:
            await self.until(lambda: not condition())
        finally:
            self.holding -= 1
            self._note()

    def _object(self, *choices: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"cmpl-{len(self.requests)}",
            "object": "text_completion",
            "created": 0,
            "model": self.health["model"],
            "choices": list(choices),
        }
