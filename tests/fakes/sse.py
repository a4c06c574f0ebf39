"""A response of server-sent events whose end can be scripted, unlike Starlette's own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class EventStream(Response):
    """
    Runs `work(self)` until it ends or the client leaves, whichever is first.

    The work is cancelled when the client leaves. If it ends without `end`, the connection is cut.
    """

    def __init__(self, work: Callable[["EventStream"], Awaitable[None]]) -> None:
        super().__init__()
        self._work = work
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, as ASGI asks."""
        self._send = send
        work = asyncio.ensure_future(self._work(self))
        left = asyncio.create_task(self._until_left(receive))
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, left):
                task.cancel()
        (problem, _) = await asyncio.gather(work, left, return_exceptions=True)
        if isinstance(problem, Exception):
            raise problem

    async def begin(self, content_type: str, status: int = 200, **headers: str) -> None:
        """Send the head of the response."""
        fields = {"content-type": content_type, **headers}
        encoded = [(key.lower().encode(), value.encode()) for key, value in fields.items()]
        self._begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def send(self, event: dict[str, Any], done: bool = False) -> None:
        """Send one event, and `[DONE]` with it if this is the last."""
        if not self._begun:
            await self.begin("text/event-stream")
        await self._write(f"data: {json.dumps(event)}\n\n" + ("data: [DONE]\n\n" if done else ""))

    async def keep_alive(self) -> None:
        """Send a comment, as who has nothing to tell does now and then."""
        await self._write(": nothing new\n\n")

    async def write_json(self, body: dict[str, Any]) -> None:
        """Send a whole JSON body."""
        await self._write(json.dumps(body))

    async def refuse(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        """Answer with an error instead of a stream."""
        await self.begin("application/json", status, **headers)
        await self.write_json(body)
        await self.end()

    async def end(self) -> None:
        """End the body as HTTP asks."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, text: str) -> None:
        body = text.encode()
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0)  # each piece is a packet of its own, and a client's leaving is seen

    async def _until_left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
