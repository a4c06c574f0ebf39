"""Fronts of servers elsewhere, which are scripted; import the fixtures that a test needs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opencoder_lsp.client.connection import Connection, Engine
from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.client.servers import Kind
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.fakes.model_folder import make_tokenizer, make_tokenizer_folder
from tests.fakes.remote import Remote

TOKENIZER = Tokenizer(make_tokenizer())
END = TOKENIZER.control_id("<|im_end|>")
KINDS: tuple[Kind, ...] = ("vLLM", "llama-server", "other")
REQUEST = CompletionRequest(prompt=[9, 10], max_tokens=64, stop_token_ids=[END], priority=10)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tokenizer without weights."""
    return make_tokenizer_folder(tmp_path / "tiny")


class Front:
    """A connection to one server, as an editor's or the API's."""

    def __init__(self, model: Path, url: str, *pairs: str) -> None:
        self.warnings: list[str] = []
        settings = Settings.load(cli=[f"model.name={model}", f"engine.url={url}", *pairs])
        self.connection = Connection(settings, lambda status: None, self.warnings.append)

    async def engine(self) -> Engine:
        return await self.connection.engine()

    async def ask(self, request: CompletionRequest = REQUEST) -> str:
        engine = await self.engine()
        async with engine.client.complete(request) as stream:
            return "".join([piece async for piece in stream])


@pytest.fixture(params=KINDS)
async def remote(request: pytest.FixtureRequest) -> AsyncIterator[Remote]:
    """A server of each kind."""
    async with Remote(request.param, TOKENIZER, end=END) as remote:
        yield remote


@pytest.fixture
async def vllm() -> AsyncIterator[Remote]:
    """One of them, where the kind makes no difference."""
    async with Remote("vLLM", TOKENIZER, end=END) as remote:
        yield remote


@pytest.fixture
async def front(model: Path, request: pytest.FixtureRequest) -> AsyncIterator[Front]:
    """A front of the server that the test asks for."""
    name = "remote" if "remote" in request.fixturenames else "vllm"
    front = Front(model, request.getfixturevalue(name).url)
    yield front
    await front.connection.close()
