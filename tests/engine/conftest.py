"""An engine answering over a real Unix socket in this process, on a fake runner."""

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from opencoder_lsp.engine import lifetime
from opencoder_lsp.engine.core import Engine, Loader, Report
from opencoder_lsp.engine.request import Request
from opencoder_lsp.engine.server import serve
from opencoder_lsp.engine.status import Health, Status
from tests.fakes.runner import WAIT, FakeRunner, loaded


class Served:
    """A served engine and an HTTP client of it."""

    def __init__(self, status: Status, engine: Engine, session: aiohttp.ClientSession) -> None:
        self.status = status
        self.engine = engine
        self.session = session
        self.task: asyncio.Task[None]
        self.cancelled = asyncio.Event()  # whether the engine has been told to cancel something
        told = engine.cancel

        def cancel(request: Request) -> None:
            told(request)
            self.cancelled.set()

        engine.cancel = cancel  # type: ignore[method-assign]

    async def get(self, path: str) -> Any:
        async with self.session.get(f"http://engine{path}") as response:
            assert response.status == 200
            return await response.json()

    def post(self, **body: Any) -> Any:
        """Ask for a completion; a context manager that gives the response."""
        return self.session.post(
            "http://engine/v1/completions", json={"prompt": [1, 2, 3], "temperature": 0, **body}
        )

    async def ask(self, **body: Any) -> dict[str, Any]:
        async with self.post(**body) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer

    async def refused(self, **body: Any) -> tuple[int, dict[str, Any]]:
        async with self.post(**body) as response:
            answer = await response.json()
            assert set(answer["error"]) == {"message", "type", "code", "param"}
            return response.status, answer["error"]

    async def until(self, state: str) -> None:
        """Return when the engine is in a state."""
        async with asyncio.timeout(WAIT), self.status.watch() as changed:
            while self.status.health.state != state:
                await changed.wait()
                changed.clear()

    async def until_unfinished(self, count: int) -> None:
        """Return when so many requests are running or waiting."""
        async with asyncio.timeout(WAIT):
            while True:
                health = await self.get("/health")
                if health["running"] + health["waiting"] == count:
                    return


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    """Iterate over the data of server-sent events; "[DONE]" comes as it is."""
    async for line in response.content:
        if line.startswith(b"data: "):
            data = line[6:].strip()
            yield "[DONE]" if data == b"[DONE]" else json.loads(data)


async def in_thread(wait: Any, *arguments: Any) -> None:
    """Wait for something that another thread does, without stopping the event loop."""
    await asyncio.to_thread(wait, *arguments)


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A short path for a socket, in a private folder."""
    with tempfile.TemporaryDirectory(prefix="oc") as folder:
        yield Path(folder) / "s"


Serve = Callable[..., "contextlib.AbstractAsyncContextManager[Served]"]


@pytest.fixture
def served(socket_path: Path) -> Serve:
    """Serve a runner (or whatever a loader does) as the process would."""

    @contextlib.asynccontextmanager
    async def start(
        runner: FakeRunner | None = None,
        *,
        load: Loader | None = None,
        queue: int = 8,
        linger: float = 1000,
        wait: str = "ready",
        request_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
        **times: float,
    ) -> AsyncIterator[Served]:
        model = loaded(runner or FakeRunner())

        def ready(report: Report) -> Any:
            report(1.0)
            return model

        status = Status(Health("tiny", "/models/tiny", "0", os.getpid()))
        engine = Engine(
            load or ready,
            status,
            queue_limit=queue,
            request_seconds=request_seconds,
            clock=clock,
        )
        with lifetime.bound_socket(socket_path) as listener:
            connector = aiohttp.UnixConnector(str(socket_path), limit=0)
            async with aiohttp.ClientSession(connector=connector) as session:
                one = Served(status, engine, session)
                one.task = asyncio.create_task(
                    serve(listener, engine, status, linger=linger, **times)
                )
                try:
                    await one.get("/health")
                    await one.until(wait)
                    yield one
                finally:
                    if runner:
                        runner.release()
                    if not one.task.cancelling():  # twice would cut its shutdown short
                        one.task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await one.task
                    assert engine.stop(WAIT)

    return start
