"""The API on a real port, before a scripted engine."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from opencoder_lsp.api.app import App
from opencoder_lsp.api.security import Policy
from opencoder_lsp.api.server import bind, served
from opencoder_lsp.api.state import State
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.api.process import ServeProcess
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

JSON = {"content-type": "application/json"}
HELLO = [{"role": "user", "content": "hello"}]


class Api:
    """A served API and a client of it, in the event loop of the test."""

    def __init__(self, app: App, state: State, port: int, session: aiohttp.ClientSession) -> None:
        self.app = app
        self.state = state
        self.port = port
        self.session = session
        self.url = f"http://127.0.0.1:{port}"

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request; a context manager that gives the response."""
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.session.post(self.url + path, data=data, headers={**JSON, **headers})

    async def ask(self, path: str = "/v1/chat/completions", **body: Any) -> Any:
        """Return the answer to a request that goes well."""
        status, answer = await self.tell(path, **body)
        assert status == 200, answer
        return answer

    async def tell(self, path: str = "/v1/chat/completions", **body: Any) -> tuple[int, Any]:
        """Return status and JSON of a response."""
        if path == "/v1/chat/completions":
            body = {"messages": HELLO, **body}
        async with self.post(path, body) as response:
            return response.status, await response.json()

    async def stream(self, path: str = "/v1/chat/completions", **body: Any) -> list[Any]:
        """Return the events of a stream, each parsed, the last one "[DONE]" if all went well."""
        if path == "/v1/chat/completions":
            body = {"messages": HELLO, **body}
        async with self.post(path, {**body, "stream": True}) as response:
            assert response.status == 200
            return parse_events(await response.text())

    async def raw(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own and return all that comes until its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


def parse_events(text: str) -> list[Any]:
    """Return the data of a whole body of server-sent events."""
    *events, rest = text.split("\n\n")
    assert rest == ""
    assert all(event.startswith("data: ") and "\n" not in event for event in events)
    data = [event.removeprefix("data: ") for event in events]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


def status_of(answer: bytes) -> int:
    """Return the status of a raw response, whose body has to be an error object."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["error"]["message"]
    return int(head.split()[1])


def request(host: bytes, *headers: bytes, target: bytes = b"/v1/models") -> bytes:
    """Return a raw request that ends the connection."""
    lines = [b"GET " + target + b" HTTP/1.1", *([b"Host: " + host] if host else []), *headers]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


Serve = Callable[..., AbstractAsyncContextManager[Api]]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder without weights."""
    return make_tokenizer_folder(tmp_path_factory.mktemp("model"), name="tiny")


@pytest.fixture(scope="session")
def tokenizer(model_folder: Path) -> Tokenizer:
    """Its tokenizer."""
    return Tokenizer.load(model_folder)


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """The scripted engine."""
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        yield fake


@pytest.fixture
def settings(model_folder: Path, fake: FakeEngine) -> Settings:
    """Settings that lead to it."""
    return Settings.load(cli=[f"model.name={model_folder}", f"engine.url={fake.url}"])


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    """The environment of a process with these settings."""
    ours = {
        "OPENCODER_ENGINE_URL": settings.engine.url,
        "OPENCODER_MODEL_NAME": settings.model.name,
    }
    return {**os.environ, **ours}


@pytest.fixture
async def process(env: dict[str, str]) -> AsyncIterator[ServeProcess]:
    """The API as a process of its own, its engine ready."""
    async with ServeProcess(env) as process:
        yield process


@pytest.fixture
def serve(settings: Settings) -> Serve:
    """Serve the API for the length of a block; `ready` says whether to wait for the engine."""
    usual = settings

    @asynccontextmanager
    async def serve(
        policy: Policy | None = None, *, ready: bool = True, settings: Settings = usual
    ) -> AsyncIterator[Api]:
        listener = bind("127.0.0.1", 0)
        port = listener.getsockname()[1]
        state = State(settings, lambda status: None, pytest.fail)
        app = App(state, replace(policy or Policy("127.0.0.1", 0), port=port))
        server = served(app)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        state.connect()
        try:
            if ready:
                await state.connection.engine()
            async with aiohttp.ClientSession() as session:
                yield Api(app, state, port, session)
        finally:
            state.drain()
            server.should_exit = True
            await task
            await app.turns.close()
            await state.close()

    return serve


@pytest.fixture
async def api(serve: Serve) -> AsyncIterator[Api]:
    """The API on loopback, without keys, its engine ready."""
    async with serve() as api:
        yield api
