"""nginx with TLS in front of our API: `nginx-serve.conf`."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from opencoder_lsp.api.keys import Keys
from opencoder_lsp.api.security import Policy
from opencoder_lsp.client.access import Access
from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from tests.api.conftest import HELLO, Serve
from tests.deploy.recipes import NAME, Nginx, needs_nginx
from tests.fakes.engine import FakeEngine

pytestmark = needs_nginx
KEY = "0123456789abcdef"
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}
STREAM = {"messages": HELLO, "stream": True}


@pytest.fixture
async def nginx(serve: Serve, tmp_path: Path) -> AsyncIterator[Nginx]:
    """nginx, with the API behind it."""
    names = frozenset({NAME, "127.0.0.1"})
    async with serve(Policy("127.0.0.1", 0, Keys({"me": KEY}, at_once=4), names=names)) as api:
        behind = {"127.0.0.1:18888": f"127.0.0.1:{api.port}"}
        nginx = Nginx(tmp_path, "nginx-serve.conf", behind)
        nginx.check()
        with nginx:
            yield nginx


@pytest.fixture
async def site(nginx: Nginx) -> AsyncIterator[aiohttp.ClientSession]:
    """A client, which knows no key yet."""
    async with nginx.session() as session:
        yield session


async def test_a_streamed_answer_comes_token_by_token(
    site: aiohttp.ClientSession, fake: FakeEngine
) -> None:
    fake.pause_after(1)
    fake.answer("one two three")
    path = "/v1/chat/completions"
    async with site.post(path, json=STREAM, headers=AUTHORIZATION) as answer:
        assert answer.status == 200
        text = b""
        while b"one" not in text:  # while the engine stands still behind its first token
            text += await answer.content.readany()
        assert b"two" not in text
        fake.resume()
        text += await answer.read()
    assert b"three" in text
    assert text.endswith(b"data: [DONE]\n\n")


async def test_a_front_reaches_its_engine_and_ends_the_work_by_leaving(
    nginx: Nginx, fake: FakeEngine, tmp_path: Path
) -> None:
    access = Access(key=KEY, ca_file=str(nginx.certificate))
    client = EngineClient(f"https://127.0.0.1:{nginx.port}", access=access)
    assert (await client.health()).state == "ready"
    fake.pause_after(1)
    async with client.complete(CompletionRequest(prompt=[5, 6, 7], max_tokens=4)) as stream:
        assert await anext(stream.pieces)
    # asyncio would wait 30 s for nginx's part of the end of TLS, and nginx for the connection's.
    async with asyncio.timeout(15):
        await fake.cancelled()
    assert fake.requests[-1]["prompt"] == [5, 6, 7]
    await client.close()


async def test_a_completion_of_token_ids_passes_with_the_key_as_a_password(
    site: aiohttp.ClientSession, fake: FakeEngine
) -> None:
    body = {"prompt": [5, 6, 7], "max_tokens": 4}
    headers = {"authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()}
    async with site.post("/v1/completions", json=body, headers=headers) as answer:
        assert (await answer.json())["usage"]["prompt_tokens"] == 3
    assert fake.requests[-1]["prompt"] == [5, 6, 7]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({**AUTHORIZATION, "origin": "https://elsewhere.example"}, 403),
        (AUTHORIZATION, 200),
    ],
)
async def test_who_has_no_key_and_pages_of_others_are_kept_out(
    site: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    async with site.get("/v1/models", headers=headers) as answer:
        assert answer.status == status


async def test_the_chat_page_of_this_name_may_ask(site: aiohttp.ClientSession) -> None:
    async with site.get("/health") as answer:
        origin = str(answer.url.origin())
    async with site.get("/v1/models", headers={**AUTHORIZATION, "origin": origin}) as answer:
        assert answer.status == 200
