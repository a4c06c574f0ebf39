"""
The same things asked of real engines of several makers, all with the demo model.

What each gets is compared with what ours gets, token by token, and what it says with what ours
says. llama-server and vLLM are tested where `servers.peer` finds them.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benchmarks import peers
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, capabilities
from tests.protocol.servers import OURS, SERVERS, Recorder, ours, peer, theirs

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
# Within a word, after blanks, at a line's start.
PLACES = [(4, 14), (9, 20), (3, 8)]
MESSAGES = ["What is a list in Python?", "Schreibe 汉字 und <|im_end|> ab."]
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


async def editor_at(start: StartEditor, url: str, folder: Path) -> Editor:
    environment = {"OPENCODER_ENGINE_URL": url, "OPENCODER_MODEL_NAME": "demo"}
    return await start(capabilities(), settings=SETTINGS, env=environment)


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


@pytest.fixture
async def recorder(address: str) -> AsyncIterator[Recorder]:
    """What stands between the editor's server and the engine."""
    async with Recorder(address) as recorder:
        yield recorder


@pytest.fixture
async def editor(
    start: StartEditor, recorder: Recorder, demo_environment: dict[str, str], foreign: str | None
) -> Editor:
    """An editor whose completions and chats go there."""
    if foreign:
        pytest.skip("the demo model belongs to our server")
    environment = {
        **demo_environment,
        "OPENCODER_ENGINE_URL": recorder.url,
        "OPENCODER_COMPLETION_PROMPT_TOKENS": "512",
    }
    return await start(capabilities(), settings=SETTINGS, env=environment)


async def test_every_server_gets_the_same_ids_and_says_the_same(
    editor: Editor,
    recorder: Recorder,
    start: StartEditor,
    our_engine: str,
    reference: dict[str, Said],
    demo_environment: dict[str, str],
) -> None:
    if not reference:
        async with Recorder(our_engine) as own:
            environment = {
                **demo_environment,
                "OPENCODER_ENGINE_URL": own.url,
                "OPENCODER_COMPLETION_PROMPT_TOKENS": "512",
            }
            first = await start(capabilities(), settings=SETTINGS, env=environment)
            reference["ours"] = await everything(first, own)
    said = await everything(editor, recorder)
    assert said.prompts == reference["ours"].prompts
    assert all(said.texts)
    assert said.texts == reference["ours"].texts
    assert editor.messages == []
