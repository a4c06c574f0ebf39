"""
The same things asked of real engines of several makers, all with the demo model.

What each gets is compared with what ours gets, token by token, and what it says with what ours
says. llama-server and vLLM are tested where `servers.peer` finds them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.client.engine import Completer, CompletionRequest, EngineClient, Usage
from opencoder_lsp.client.vocabulary import speaking
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.benchmarks import peers
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, capabilities
from tests.protocol.servers import OURS, SERVERS, Recorder, ours, peer, theirs

pytestmark = pytest.mark.timeout(600)  # vLLM starts in it
ENVIRONMENT = dict(os.environ)  # each test has one without our variables
CODE = '''def fibonacci(n):
    """Return the n-th Fibonacci number."""
    if n < 2:
        return n
    return fib


class Größe:
    def __init__(self, wert):
        self.wert = 
'''
PLACES = [(4, 14), (9, 20)]  # within a word, behind a blank
# To the last one two answers are equally likely in bfloat16, so that only the ids are compared.
MESSAGES = ["Write a Python function that adds two numbers.", "Schreibe 汉字 und <|im_end|> ab."]
SETTINGS = {"chat": {"max_tokens": 24, "temperature": 0}, "completion": {"max_tokens": 16}}


@dataclass
class Said:
    """What an editor was told at each place and to each message, and what the server was asked."""

    texts: list[str]
    prompts: list[list[int]]


@pytest.fixture(scope="module")
def folder(demo_home: Path) -> Path:
    """The demo model."""
    return demo_home / "data" / "models" / "demo"


@pytest.fixture(scope="module")
def our_engine(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of our engine."""
    with ours(folder, tmp_path_factory.mktemp("o")) as url:
        yield url


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.vllm] * (name == peers.VLLM)) for name in SERVERS
    ],
)
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of one of the servers."""
    if request.param == OURS:
        yield request.getfixturevalue("our_engine")
        return
    server = peer(request.param, ENVIRONMENT, request.getfixturevalue("folder"))
    if isinstance(server, peers.Missing):
        pytest.skip(f"{server.name}: {server.reason}")
    with theirs(server, tmp_path_factory.mktemp("t")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def reference() -> dict[str, Said]:
    """What was said with our engine, once it was asked."""
    return {}


async def editor_at(start: StartEditor, home: dict[str, str], url: str) -> Editor:
    """Start an editor whose completions and chats go to an address."""
    prompt = {"OPENCODER_ENGINE_URL": url, "OPENCODER_COMPLETION_PROMPT_TOKENS": "512"}
    return await start(capabilities(), settings=SETTINGS, env={**home, **prompt})


async def everything(editor: Editor, recorder: Recorder) -> Said:
    """Ask for everything, and return it."""
    texts, prompts = [], []
    editor.open(CODE)
    for line, character in PLACES:
        items = await editor.complete(line, character)
        texts.append(str(items[0].insert_text) if items else "")
        prompts.append(recorder.bodies[0]["prompt"])
        recorder.bodies.clear()
    for message in MESSAGES:
        answer = await editor.command("opencoder.chat", {"message": message})
        texts.append(answer["text"])
        prompts.append(recorder.bodies[0]["prompt"])
        recorder.bodies.clear()
    return Said(texts, prompts)


async def test_every_server_gets_the_same_ids_and_says_the_same(
    start: StartEditor,
    demo_environment: dict[str, str],
    address: str,
    our_engine: str,
    reference: dict[str, Said],
    foreign: str | None,
) -> None:
    if foreign:
        pytest.skip("the demo model belongs to our server")
    for name, url in (("ours", our_engine), ("theirs", address)):
        if name == "ours" and reference:
            continue
        async with Recorder(url) as recorder:
            editor = await editor_at(start, demo_environment, recorder.url)
            reference[name] = await everything(editor, recorder)
            assert editor.messages == []
            await editor.shutdown_session()  # what holds a lease keeps the recorder open
            assert await editor.exited() == 0
    said, wanted = reference.pop("theirs"), reference["ours"]
    assert said.prompts == wanted.prompts
    assert all(said.texts)
    assert said.texts[:-1] == wanted.texts[:-1]


QUESTION = "def fibonacci(n):\n    if n < 2:\n"
REQUESTS: dict[str, dict[str, Any]] = {
    "a stop id that is no model's end": {"stop": "n"},
    "a stop string": {"stop": ["return"]},
    "a forced prefix": {"forced_prefix": "        ret"},
    "a forced prefix that the model would not write": {"forced_prefix": "größe = '汉"},
    "the first four tokens": {"max_tokens": 4},
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_a_request_is_answered_as_by_our_engine(
    folder: Path, address: str, our_engine: str, what: str
) -> None:
    tokenizer = Tokenizer.load(folder)
    how: dict[str, Any] = {"max_tokens": 16, **REQUESTS[what]}
    if isinstance(how.get("stop"), str):
        how["stop_token_ids"] = tokenizer.encode(how.pop("stop"))
    request = CompletionRequest(prompt=tokenizer.encode(QUESTION), **how)
    text, reason, usage = await answer(our_engine, tokenizer, request)
    assert usage is not None
    found = await answer(address, tokenizer, request)
    assert found[:2] == (text, reason)
    assert found[2] is not None
    assert found[2].prompt_tokens == usage.prompt_tokens


async def test_warming_makes_the_next_answer_begin_with_what_is_there(
    folder: Path, address: str
) -> None:
    tokenizer = Tokenizer.load(folder)
    prompt = tokenizer.encode(f"# {address}\n" + QUESTION * 20)
    await answer(address, tokenizer, CompletionRequest(prompt=prompt, max_tokens=0, priority=20))
    request = CompletionRequest(prompt=prompt, max_tokens=2)
    _, _, usage = await answer(address, tokenizer, request)
    assert usage is not None
    assert usage.prompt_tokens == len(prompt)
    assert usage.cached_tokens > len(prompt) // 2


async def answer(
    url: str, tokenizer: Tokenizer, request: CompletionRequest
) -> tuple[str, str | None, Usage | None]:
    """Return text, reason and usage of an answer."""
    client = EngineClient(url)
    try:
        await client.health()
        completer: Completer = client
        if client.server is not None:
            completer, doubt = await speaking(client, tokenizer, [])
            assert doubt == ""
        async with completer.complete(request) as stream:
            text = "".join([piece async for piece in stream])
        usage = stream.usage
        return text, stream.finish_reason, usage
    finally:
        await client.close()
