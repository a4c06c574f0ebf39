"""
The chat page's own routes: conversations, and turns in them.

They are for our page in a browser that has a session, and for nobody else: no key opens them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opencoder_lsp.api.page_wire import ChangeBody, CountBody, TurnBody
from opencoder_lsp.api.sessions import Sessions
from opencoder_lsp.api.state import State
from opencoder_lsp.api.streaming import EventStream
from opencoder_lsp.api.turn_prompts import (
    Asked,
    answer_request,
    asked_again,
    asked_newly,
    check_question,
)
from opencoder_lsp.api.turns import Turn, Turns
from opencoder_lsp.client.chat_request import longest_answer
from opencoder_lsp.conversations.entries import Conversation, Entry
from opencoder_lsp.conversations.export import exported, summary_json, to_json
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import PromptError, PromptTooLongError
from opencoder_lsp.serving.messages import read_body
from opencoder_lsp.serving.refusals import RefusedError

PATH = "/api/"
Handler = Callable[[Request], Awaitable[Response]]
BODY_SECONDS = 10.0


class ConversationRoutes:
    """The routes, on one store."""

    def __init__(self, state: State, sessions: Sessions, store: Store, turns: Turns) -> None:
        self._state = state
        self._store = store
        self._turns = turns
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "state", self._show_state),
            ("GET", "conversations", self._list),
            ("GET", "conversations/{id}", self._read),
            ("PATCH", "conversations/{id}", self._change),
            ("DELETE", "conversations/{id}", self._delete),
            ("GET", "conversations/{id}/export", self._export),
            ("DELETE", "conversations/{id}/messages/{message}", self._forget),
            ("POST", "count", self._count),
            ("POST", "turns", self._begin),
            ("GET", "turns/{turn}/events", self._events),
            ("POST", "turns/{turn}/stop", self._stop),
        ]
        self.routes = [
            Route(PATH + path, for_session(sessions, handler), methods=[method])
            for method, path, handler in routes
        ]

    async def _show_state(self, _request: Request) -> Response:
        connection, chat = self._state.connection, self._state.settings.chat
        model, status = connection.model, connection.status
        if status.kind == "error":
            self._state.connect()
        shown = {
            "state": self._state.kind,
            "message": status.message,
            "percent": status.percent,
            "model": model.name if model else "",
            "system": chat.system,
            "temperature": chat.temperature,
            "turns": [turn.as_json() for turn in self._turns.running()],
        }
        return JSONResponse(shown)

    async def _list(self, request: Request) -> Response:
        summaries = await asyncio.to_thread(self._store.summaries)
        text = request.query_params.get("search", "").strip()
        if text:
            found = set(await asyncio.to_thread(self._store.search, text))
            summaries = [summary for summary in summaries if summary.id in found]
        return JSONResponse({"conversations": [summary_json(one) for one in summaries]})

    async def _read(self, request: Request) -> Response:
        return JSONResponse(to_json(await self._conversation(request.path_params["id"])))

    async def _change(self, request: Request) -> Response:
        body = ChangeBody.parse(await read_body(request, BODY_SECONDS))
        id = request.path_params["id"]
        changes = body.model_dump(exclude_unset=True, exclude={"title"})
        if body.title is not None:
            await asyncio.to_thread(self._store.rename, id, body.title)
        if changes:
            changes["folder"] = changes.get("folder") or ""
            if "folder" not in body.model_fields_set:
                del changes["folder"]
            await asyncio.to_thread(self._store.configure, id, **changes)
        return JSONResponse(to_json(await self._conversation(id)))

    async def _delete(self, request: Request) -> Response:
        id = request.path_params["id"]
        for turn in self._turns.running():
            if turn.asked.conversation_id == id:
                await self._turns.stop(turn)
        await self._conversation(id)
        await asyncio.to_thread(self._store.delete, id)
        return JSONResponse({})

    async def _export(self, request: Request) -> Response:
        conversation = await self._conversation(request.path_params["id"])
        markdown = request.query_params.get("format") != "json"
        text = exported(conversation, "markdown" if markdown else "json")
        return JSONResponse({"title": conversation.title, "text": text})

    async def _forget(self, request: Request) -> Response:
        id = request.path_params["id"]
        self._turns.check_room(id)
        await self._conversation(id)
        await asyncio.to_thread(self._store.forget_turn, id, request.path_params["message"])
        return JSONResponse(to_json(await self._conversation(id)))

    async def _count(self, request: Request) -> Response:
        """Say how long the prompt would be, in tokens, and what would be left out of it."""
        body = CountBody.parse(await read_body(request, BODY_SECONDS))
        engine = await self._state.connection.engine_at_once()
        chat = self._state.settings.chat
        old = Conversation("", "", "", 0, 0, ())
        if body.conversation_id is not None:
            old = await self._conversation(body.conversation_id)
        system = old.system if body.system is None else body.system
        question = Entry("user", body.message or " ")
        asked = Asked(old.id, question, old.entries, "", "", system=system)
        count: dict[str, Any] = {"limit": engine.context_length - longest_answer(engine, chat)}
        try:
            fitted, dropped = await asyncio.to_thread(answer_request, asked, engine, chat)
            count |= {"tokens": len(fitted.prompt), "dropped": dropped, "fits": True}
        except PromptTooLongError as error:
            count |= {"tokens": error.tokens, "dropped": len(old.entries), "fits": False}
        return JSONResponse(count)

    async def _begin(self, request: Request) -> Response:
        body = TurnBody.parse(await read_body(request, BODY_SECONDS))
        self._turns.check_room(body.conversation_id)
        if body.action in ("ask", "edit"):
            engine = await self._state.connection.engine()
            check_question(body.message, engine)
        if body.action == "ask":
            asked = await self._ask(body)
        elif body.conversation_id is None:
            raise RefusedError(400, f"{body.action} needs a conversationId")
        else:
            asked = asked_again(body, await self._conversation(body.conversation_id))
        self._turns.check_room(asked.conversation_id)  # again: there was time for another
        return JSONResponse(self._turns.begin(asked).as_json(), 202)

    async def _ask(self, body: TurnBody) -> Asked:
        """Keep a question at once, so that it is there whatever becomes of its answer."""
        question, old = Entry("user", body.message), body.conversation_id
        if old is not None:
            await self._conversation(old)
        id = await asyncio.to_thread(self._store.add, [question], old)
        if old is None:
            settings = {"system": body.system, "temperature": body.temperature}
            await asyncio.to_thread(self._store.configure, id, folder=body.folder, **settings)
        return asked_newly(await self._conversation(id))

    async def _events(self, request: Request) -> Response:
        turn = self._turn(request)
        after = request.headers.get("last-event-id", "0")
        return EventStream(turn.events(int(after) if after.isdecimal() else 0))

    async def _stop(self, request: Request) -> Response:
        turn = self._turn(request)
        await self._turns.stop(turn)
        return JSONResponse(turn.ending)

    def _turn(self, request: Request) -> Turn:
        return self._turns.turn(request.path_params["turn"])

    async def _conversation(self, id: str) -> Conversation:
        try:
            return await asyncio.to_thread(self._store.conversation, id)
        except PromptError as error:
            raise RefusedError(404, str(error), code="no_such_conversation") from None


def for_session(sessions: Sessions, handler: Handler) -> Handler:
    """Return a handler that answers our own page only."""

    async def guarded(request: Request) -> Response:
        if not sessions.knows(request.headers):
            message = "open the address that `opencoder-lsp serve` has printed in this browser"
            raise RefusedError(401, message, code="no_session")
        response = await handler(request)
        response.headers["cache-control"] = "no-store"
        return response

    return guarded
