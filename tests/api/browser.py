"""What the chat page's scripts do, without a browser: a session, requests, events."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from opencoder_lsp.api.sessions import KEY_HEADER
from tests.api.conftest import JSON, Api


class PageClient:
    """A browser with a session on a served API."""

    def __init__(self, api: Api, cookie: str, key: str) -> None:
        self.api = api
        self.headers = {**JSON, "Cookie": cookie, KEY_HEADER: key}

    @classmethod
    async def open(cls, api: Api) -> "PageClient":
        """Open the one-time address."""
        address = api.url + api.app.sessions.one_time_path()
        async with api.session.get(address, allow_redirects=False) as got:
            assert got.status == 303
            key = got.headers["location"].removeprefix("/#session=")
            cookie = got.headers["set-cookie"].partition(";")[0]
        return cls(api, cookie, key)

    async def tell(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and JSON of a response."""
        data = None if body is None else json.dumps(body)
        request = self.api.session.request(
            method, f"{self.api.url}/api/{path}", data=data, headers=self.headers
        )
        async with request as got:
            return got.status, await got.json()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer to a request that goes well."""
        status, answer = await self.tell(method, path, body)
        assert status in (200, 202), answer
        return answer

    async def begin(self, message: str = "hello", **body: Any) -> Any:
        """Begin a turn and return its first event."""
        asked = {"action": "ask", **({"message": message} if message else {}), **body}
        return await self.ask("POST", "turns", asked)

    async def turn(self, message: str = "hello", **body: Any) -> tuple[Any, Any]:
        """Have a turn to its end; return its last event and the conversation."""
        begun = await self.begin(message, **body)
        events = await self.events(begun["turnId"])
        return events[-1], await self.conversation(begun["conversationId"])

    async def conversation(self, id: str) -> Any:
        """Return a conversation."""
        return await self.ask("GET", f"conversations/{id}")

    @asynccontextmanager
    async def listening(self, turn: str, after: int = 0) -> AsyncIterator[AsyncIterator[Any]]:
        """Listen to a turn's events, each with its `id` if it has one."""
        headers = {**self.headers, "Last-Event-ID": str(after)}
        url = f"{self.api.url}/api/turns/{turn}/events"
        async with self.api.session.get(url, headers=headers) as got:
            assert got.status == 200
            yield _events(got.content)

    async def events(self, turn: str, after: int = 0) -> list[Any]:
        """Return all events of a turn, waiting for its end."""
        async with self.listening(turn, after) as events:
            return [event async for event in events]


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[Any]:
    id = None
    async for line in content:
        if line.startswith(b"id: "):
            id = int(line[4:])
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            yield event if id is None else {**event, "id": id}
            id = None


def said(conversation: Any) -> list[str]:
    """Return what was said in a conversation."""
    return [message["content"] for message in conversation["messages"]]
