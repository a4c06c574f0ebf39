"""Responses that take long: they end when the client goes."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_HEAD = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]


class EventStream(Response):
    """Server-sent events, for as long as the client is there."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        super().__init__()
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them, as ASGI asks."""
        await while_there(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        await begin_events(send)
        await send_events(self._events, send)


async def begin_events(send: Send) -> None:
    """Send the head of a response of events."""
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEAD)})


async def send_events(events: AsyncGenerator[bytes], send: Send) -> None:
    """Send all events, then end the response."""
    async with aclosing(events):
        async for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def while_there(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do some work, which the client's going cancels."""
    working = asyncio.create_task(work)
    tasks = (working, asyncio.create_task(_until_left(receive)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not working.cancelled():
        working.result()


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
