"""The routes of the API. It makes prompts and passes them on: the model is in the engine."""

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opencoder_lsp.api import chat_completions, completions, metrics, openapi
from opencoder_lsp.api.conversations import PATH, ConversationRoutes
from opencoder_lsp.api.failures import refused
from opencoder_lsp.api.generation import Generated
from opencoder_lsp.api.jobs import Front, Job, check_model
from opencoder_lsp.api.library import LibraryRoutes
from opencoder_lsp.api.metrics import Metrics
from opencoder_lsp.api.page import Page
from opencoder_lsp.api.security import Guard, Policy
from opencoder_lsp.api.sessions import Sessions
from opencoder_lsp.api.state import State
from opencoder_lsp.api.streaming import EventStream
from opencoder_lsp.api.turns import Turns
from opencoder_lsp.client.connection import Connection
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.serving.messages import read_body
from opencoder_lsp.serving.refusals import RefusedError, refusal, refuse_bug, refuse_http

log = logging.getLogger(__name__)

_BODY_SECONDS = 10.0
Prepare = Callable[[bytes, Front], Job]


class App:
    """The ASGI application; one object for the life of the process."""

    def __init__(self, state: State, policy: Policy, sessions: Sessions | None = None) -> None:
        self.sessions = sessions or Sessions()
        self.sessions.port = policy.port
        self._state = state
        self._policy = policy
        self._metrics = Metrics()
        self.under_way = 0  # answers, from when all of their requests is there
        self._started = int(time.time())
        chat = functools.partial(self._generate, state.connection, chat_completions.prepare)
        text = functools.partial(self._generate, state.completions, completions.prepare)
        self.routes = [
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._show_metrics, methods=["GET"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/docs", _docs, methods=["GET"]),
            Route("/openapi.json", _openapi, methods=["GET"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/models/{model:path}", self._model, methods=["GET"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/completions", text, methods=["POST"]),
        ]
        store, self.page = Store(), Page(self.sessions)
        self.turns = Turns(state, store, self._metrics.used)
        self.routes += ConversationRoutes(state, self.sessions, store, self.turns).routes
        self.routes += LibraryRoutes(self.sessions, store).routes
        self.routes += self.page.routes
        handlers: Any = {
            HTTPException: refuse_http,
            OpencoderError: _refuse,
            Exception: refuse_bug,
        }
        inner = Starlette(routes=self.routes, exception_handlers=handlers)
        self._guarded: ASGIApp = Guard(inner, policy, self._is_page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI asks, and count the answer."""

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope["path"] if scope["path"] in self._paths else "other"
                self._metrics.responded(route, message["status"])
            await send(message)

        await self._guarded(scope, receive, counting)

    @functools.cached_property
    def _paths(self) -> frozenset[str]:
        return frozenset(route.path for route in self.routes)

    def _is_page(self, scope: Scope, headers: Headers) -> bool:
        """Whether a request is the page's, of a browser that has a session or is getting one."""
        if scope["path"] == "/" and scope["query_string"].startswith(b"token="):
            return True
        ours = scope["path"].startswith(PATH) or scope["path"] in self.page.paths
        return ours and self.sessions.has_cookie(headers)

    async def _health(self, _request: Request) -> Response:
        kind = self._state.kind
        return JSONResponse({"state": kind}, 200 if kind == "ready" else 503)

    async def _show_metrics(self, _request: Request) -> Response:
        return Response(self._metrics.text(), media_type=metrics.MEDIA_TYPE)

    async def _events(self, _request: Request) -> Response:
        return EventStream(self._state.events())

    async def _models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": list(self._cards().values())})

    async def _model(self, request: Request) -> Response:
        asked, cards = request.path_params["model"], self._cards()
        if asked not in cards:  # by an alias, if at all, which is that of the chats'
            check_model(asked, next(iter(cards)))
        return JSONResponse(cards.get(asked) or next(iter(cards.values())))

    def _cards(self) -> dict[str, dict[str, Any]]:
        """Describe the chats' model, and that of completions, by their names."""
        chats, completions = map(self._card, (self._state.connection, self._state.completions))
        if chats is None:
            raise self._not_ready()
        cards = {chats["id"]: chats}
        if completions is not None:
            cards.setdefault(completions["id"], completions)
        return cards

    def _card(self, connection: Connection) -> dict[str, Any] | None:
        model, health = connection.model, connection.health
        if model is None:
            return None
        length = (health and health.context_length) or model.manifest.context_length
        card = {"id": model.name, "object": "model", "created": self._started}
        return {**card, "owned_by": "opencoder-lsp", "max_model_len": length}

    async def _generate(
        self, connection: Connection, prepare: Prepare, request: Request
    ) -> Response:
        key: str = request.state.key
        raw = await read_body(request, patience=_BODY_SECONDS)  # who is slow takes nobody's turn
        with ExitStack() as turn:
            if self._policy.keys is not None:
                turn.enter_context(self._policy.keys.turn(key))
            turn.enter_context(self._turn())
            front = await self._front(connection)
            job = await asyncio.to_thread(prepare, raw, front)
            return Generated(job, front.engine.client, turn.pop_all(), self._metrics, key)

    async def _front(self, connection: Connection) -> Front:
        """Return the engine, if it is there by now; raises what `refused` makes a 503 of."""
        if self._state.kind in ("loading", "draining"):
            self._state.connect()
            raise self._not_ready()
        engine = await connection.engine_at_once()
        assert connection.model is not None  # or there would be no engine
        return Front(engine, connection.model.name, self._state.settings)

    def _not_ready(self) -> RefusedError:
        kind = self._state.kind
        if kind == "error":
            message = self._state.connection.status.message
            return RefusedError(503, message, code="unavailable", retry_after=2)
        return RefusedError(503, f"the server is {kind}", code=kind, retry_after=2)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """
        Hold one of the answers that the engine has room for; raises RefusedError (429) without.

        The engine would refuse, too, but only once the prompt is made, for any number of clients.
        """
        health = self._state.connection.health
        queue = self._state.settings.engine.queue
        if health is not None and health.slots and self.under_way >= health.slots + queue:
            message = f"{queue} requests are waiting already"
            raise RefusedError(429, message, code="busy", retry_after=1)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


async def _docs(_request: Request) -> Response:
    return HTMLResponse(openapi.page(), headers={"content-security-policy": openapi.CSP})


async def _openapi(_request: Request) -> Response:
    return JSONResponse(openapi.document())


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OpencoderError)
    return refusal(refused(error))
