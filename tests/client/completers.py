"""What our fronts make of other makers' servers, which are scripted; import what a test needs."""

from collections.abc import AsyncIterator

import pytest

from opencoder_lsp.client.engine import Completer, CompletionRequest, EngineClient
from opencoder_lsp.client.servers import Kind
from opencoder_lsp.client.vocabulary import speaking
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.model_folder import make_tokenizer
from tests.fakes.remote import Remote

TOKENIZER = Tokenizer(make_tokenizer())
END_OF_TURN = TOKENIZER.control_id("<|end_of_turn|>")
END_OF_TEXT = TOKENIZER.control_id("<|endoftext|>")
PROMPT = TOKENIZER.encode("def f(")
REQUEST = CompletionRequest(
    prompt=PROMPT, max_tokens=64, stop_token_ids=[END_OF_TURN, END_OF_TEXT], temperature=0.0
)
WITH_IDS: tuple[Kind, ...] = ("vLLM", "llama-server")
KINDS: tuple[Kind, ...] = (*WITH_IDS, "other")


@pytest.fixture
async def remote(request: pytest.FixtureRequest) -> AsyncIterator[Remote]:
    """A server whose own model ends at `<|endoftext|>`, as StarCoder's."""
    async with Remote(request.param, TOKENIZER, end=END_OF_TEXT) as remote:
        yield remote


@pytest.fixture
async def completer(remote: Remote) -> AsyncIterator[Completer]:
    """What our fronts make of it."""
    client = EngineClient(remote.url)
    await client.health()
    completer, _ = await speaking(client, TOKENIZER, REQUEST.stop_token_ids)
    yield completer
    await client.close()


def every(kinds: tuple[Kind, ...] = KINDS) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("remote", kinds, indirect=True)


async def ask(completer: Completer, request: CompletionRequest = REQUEST) -> str:
    async with completer.complete(request) as stream:
        return "".join([piece async for piece in stream])
