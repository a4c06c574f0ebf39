"""
The engine over HTTP. Whoever leaves has cancelled: streaming or not, the client's going is watched
for, and stops the request before its next step.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opencoder_lsp.engine.answer import Answer
from opencoder_lsp.engine.core import Engine, Loaded
from opencoder_lsp.engine.lifetime import Lifetime, wait_any
from opencoder_lsp.engine.metrics import Metrics
from opencoder_lsp.engine.request import OverdueError
from opencoder_lsp.engine.responses import EventStream, WholeAnswer
from opencoder_lsp.engine.status import Status
from opencoder_lsp.engine.step import OutOfMemoryError
from opencoder_lsp.engine.stream import Piece, Stream
from opencoder_lsp.engine.wire import CompletionBody
from opencoder_lsp.errors import EngineBusyError, EngineError, EngineUnavailableError
from opencoder_lsp.models.known import known
from opencoder_lsp.serving.messages import DONE, KEEP_ALIVE, read_body, sse
from opencoder_lsp.serving.refusals import RefusedError, refusal, refuse_bug, refuse_http

log = logging.getLogger(__name__)

_KEEP_ALIVE_SECONDS = 15.0


class App:
    """The routes; one object for the life of the process."""

    def __init__(self, engine: Engine, status: Status, lifetime: Lifetime) -> None:
        """All three are shared with `__main__`."""
        self._engine = engine
        self._status = status
        self._lifetime = lifetime
        self._measured = Metrics(status)
        self._streams: set[Stream] = set()

    def starlette(self) -> Starlette:
        """Return the ASGI application."""
        routes = [
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/completions", self._completions, methods=["POST"]),
        ]
        handlers: Any = {HTTPException: refuse_http, Exception: refuse_bug}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def drain(self, seconds: float) -> None:
        """Refuse what is new, give what is at work some time, then cancel it."""
        self._status.update(state="draining")
        await self._lifetime.until_free(seconds)
        for stream in self._streams:
            log.warning("%s is cancelled: the engine ends", stream.id)
            stream.cancel()
        await self._lifetime.until_free(1)

    def fail_all(self, error: EngineError) -> None:
        """End every answer at work with an error."""
        for stream in self._streams:
            stream.fail(error)

    async def _health(self, _request: HttpRequest) -> Response:
        return JSONResponse(self._status.as_json())

    async def _metrics(self, _request: HttpRequest) -> Response:
        return Response(self._measured.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def _models(self, _request: HttpRequest) -> Response:
        health = self._status.health
        model = {"id": health.model, "object": "model", "owned_by": "opencoder-lsp", "created": 0}
        if health.context_length:
            model["max_model_len"] = health.context_length
        return JSONResponse({"object": "list", "data": [model]})

    async def _events(self, _request: HttpRequest) -> Response:
        gone = asyncio.Event()
        return EventStream(self._watch_status(gone), gone.set)

    async def _watch_status(self, gone: asyncio.Event) -> AsyncGenerator[bytes]:
        """Give the health at once and at each change, until the reader has gone."""
        with self._lifetime.lease():
            async with self._status.watch() as changed:
                while not (gone.is_set() or self._lifetime.closing.is_set()):
                    changed.clear()
                    yield sse(self._status.as_json())
                    closing = self._lifetime.closing
                    while not await wait_any(changed, gone, closing, seconds=_KEEP_ALIVE_SECONDS):
                        yield KEEP_ALIVE

    async def _completions(self, request: HttpRequest) -> Response:
        try:
            stream, streaming = await self._submit(request)
        except RefusedError as error:
            return refusal(error)
        assert self._engine.loaded is not None  # or it would not have taken the request
        answer = Answer(stream.id, self._status.health.model, self._engine.loaded.vocabulary)
        if streaming:
            return EventStream(self._pieces(stream, answer), stream.cancel)
        return WholeAnswer(self._whole(stream, answer), stream.cancel)

    async def _submit(self, request: HttpRequest) -> tuple[Stream, bool]:
        """Check a request and hand it in; return its stream, and whether the client streams."""
        raw = await read_body(request)
        loaded = self._ready()
        body = CompletionBody.parse(raw)
        self._check_model(body.model)
        ids = await asyncio.to_thread(body.ids, loaded)  # a long text takes a while to encode
        try:
            return Stream(self._engine, ids, body.params(loaded), body.choices), body.stream
        except EngineError as error:
            raise self._refused(error) from None

    def _ready(self) -> Loaded:
        loaded = self._engine.loaded
        if loaded is None or self._status.health.state != "ready":
            raise self._not_ready()
        return loaded

    def _not_ready(self) -> RefusedError:
        health = self._status.health
        if health.state == "error":
            return RefusedError(503, health.cause or "no model", code="model_error", retry_after=5)
        message = f"the engine is {health.state}"
        return RefusedError(503, message, code=health.state, retry_after=2)

    def _check_model(self, asked: str | None) -> None:
        name = self._status.health.model
        if asked is None or asked.casefold() == name.casefold():
            return
        model = known(asked)
        if model is None or model.name != name:
            message = f"the model asked for is not here; this engine runs {name}"
            raise RefusedError(404, message, code="model_not_found", param="model")

    @contextlib.asynccontextmanager
    async def _at_work(self, stream: Stream) -> AsyncIterator[None]:
        self._streams.add(stream)
        try:
            with self._lifetime.request():
                async with stream:
                    yield
        finally:
            self._streams.discard(stream)
            self._measured.observe(stream)

    async def _pieces(self, stream: Stream, answer: Answer) -> AsyncGenerator[bytes]:
        try:
            async with self._at_work(stream):
                async for piece in stream:
                    event = sse(answer.chunk(_wanted(piece)))
                    yield event + DONE if piece.usage else event
        except (EngineError, RefusedError) as error:
            yield sse(self._refused(error).as_json())

    async def _whole(self, stream: Stream, answer: Answer) -> Response:
        try:
            async with self._at_work(stream):
                return JSONResponse(answer.whole([_wanted(piece) async for piece in stream]))
        except (EngineError, RefusedError) as error:
            return refusal(self._refused(error))

    def _refused(self, error: EngineError | RefusedError) -> RefusedError:
        if isinstance(error, RefusedError):
            return error
        if isinstance(error, EngineBusyError):
            return RefusedError(429, str(error), code="busy", retry_after=1)
        if isinstance(error, EngineUnavailableError):
            return self._not_ready()
        if isinstance(error, OverdueError):
            return RefusedError(504, str(error), code="timeout")
        if isinstance(error, OutOfMemoryError):
            return RefusedError(500, str(error), code="out_of_memory")
        return RefusedError(500, str(error), code="generation_failed")


def _wanted(piece: Piece) -> Piece:
    """Return a piece; raises RefusedError if we ended its request, or its reader did."""
    if piece.reason == "cancelled":
        raise RefusedError(503, "the engine is stopping", code="draining", retry_after=2)
    return piece
