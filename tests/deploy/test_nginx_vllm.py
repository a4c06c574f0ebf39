"""nginx in front of several engines: `nginx-vllm.conf`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.deploy.recipes import Nginx, needs_nginx

pytestmark = needs_nginx
Answering = Callable[[web.Request, web.StreamResponse], Coroutine[Any, Any, None]]


class Vllm:
    """A server that notes who asks, and answers as it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []  # authorizations
        self.status = 200
        self.dies = False
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Stream two events, with a wait for `go_on` in between."""
        await request.read()
        self.asked.append(request.headers["authorization"])
        if self.status != 200:
            return web.Response(status=self.status)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: one\n\n")
        if self.dies:
            assert request.transport is not None
            request.transport.abort()
            return response
        await self.go_on.wait()
        await response.write(b"data: two\n\n")
        return response

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on the port that is given."""
        app = web.Application()
        app.router.add_post("/v1/completions", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()


@pytest.fixture
async def engines() -> list[Vllm]:
    """Two engines."""
    return [Vllm(), Vllm()]


@pytest.fixture
async def site(engines: list[Vllm], tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of nginx in front of both."""
    async with engines[0].listening() as first, engines[1].listening() as second:
        ports = {
            "10.0.0.11:8000": f"127.0.0.1:{first}",
            "10.0.0.12:8000": f"127.0.0.1:{second}",
        }
        nginx = Nginx(tmp_path, "nginx-vllm.conf", ports)
        nginx.check()
        with nginx:
            async with nginx.session("engine.example.org") as session:
                yield session


def ask(site: aiohttp.ClientSession, key: int) -> Any:
    headers = {"authorization": f"Bearer {key}"}
    return site.post("/v1/completions", json={"prompt": [1]}, headers=headers)


async def test_a_typist_stays_with_one_engine_and_others_get_the_other(
    site: aiohttp.ClientSession, engines: list[Vllm]
) -> None:
    for key in [*range(16)] * 2:
        async with ask(site, key) as answer:
            assert await answer.text() == "data: one\n\ndata: two\n\n"
    assert all(engine.asked for engine in engines)
    assert not set(engines[0].asked) & set(engines[1].asked)
    assert sum(len(engine.asked) for engine in engines) == 32


async def test_events_are_passed_on_one_by_one(
    site: aiohttp.ClientSession, engines: list[Vllm]
) -> None:
    for engine in engines:
        engine.go_on.clear()
    async with ask(site, 0) as answer:
        assert await answer.content.readexactly(11) == b"data: one\n\n"
        for engine in engines:
            engine.go_on.set()
        assert await answer.content.read() == b"data: two\n\n"


@pytest.mark.parametrize("status", [429, 503])
async def test_an_engine_that_is_full_or_starting_is_passed_over(
    site: aiohttp.ClientSession, engines: list[Vllm], status: int
) -> None:
    engines[0].status = status
    for key in range(16):
        async with ask(site, key) as answer:
            assert answer.status == 200
    assert len(engines[1].asked) == 16
    assert engines[0].asked


async def test_an_answer_that_has_begun_is_never_begun_anew(
    site: aiohttp.ClientSession, engines: list[Vllm]
) -> None:
    for engine in engines:
        engine.dies = True
    async with ask(site, 0) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    assert sum(len(engine.asked) for engine in engines) == 1
