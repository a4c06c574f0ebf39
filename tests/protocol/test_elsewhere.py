"""The language server with another maker's server behind it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pygls.exceptions import JsonRpcException
from starlette.responses import JSONResponse

from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.remote import Remote
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor


@pytest.fixture(params=["vLLM", "llama-server"])
async def remote(
    request: pytest.FixtureRequest, tokenizer_folder: Path, foreign: str | None
) -> AsyncIterator[Remote]:
    """Such a server."""
    if foreign:
        pytest.skip("needs our server")
    tokenizer = Tokenizer.load(tokenizer_folder)
    async with Remote(request.param, tokenizer) as remote:
        yield remote


@pytest.fixture
async def editor(start: StartEditor, remote: Remote) -> Editor:
    """An editor whose server is connected to it."""
    return await start(env={"OPENCODER_ENGINE_URL": remote.url})


async def test_a_word_is_completed_with_its_beginning_forced(
    editor: Editor, remote: Remote
) -> None:
    remote.say("\n    return nothing")
    remote.say(" 1\n", "<|im_end|>")
    editor.open("def one():\n    ret\n")
    (item,) = await editor.complete(1, 7)
    assert item.insert_text == "urn 1"
    first, second = remote.completions
    assert "structured_outputs" in first or "grammar" in first
    assert second["prompt"][: len(first["prompt"])] == first["prompt"]


@pytest.mark.fault("F63")
async def test_an_engine_killed_in_mid_stream_is_an_error_and_the_next_answer_comes(
    editor: Editor, remote: Remote
) -> None:
    remote.say("a long story", cut=3)
    with pytest.raises(JsonRpcException) as error:
        await editor.command("opencoder.chat", {"message": "Tell me."})
    assert error.value.code == -32803
    assert "stopped in the middle of its answer" in str(error.value)
    remote.say("Hello.", "<|im_end|>")
    assert (await editor.command("opencoder.chat", {"message": "Hi"}))["text"] == "Hello."


@pytest.mark.fault("F63")
async def test_a_busy_server_says_nothing_to_who_types(editor: Editor, remote: Remote) -> None:
    remote.fail(JSONResponse({"error": {"message": "full"}}, 429, {"Retry-After": "60"}))
    editor.open("def one():\n    ret\n")
    assert await editor.complete(1, 7) == []
    assert editor.messages == []


async def test_chat_and_completions_may_be_at_two_addresses(
    start: StartEditor, remote: Remote, tokenizer_folder: Path
) -> None:
    async with Remote("vLLM", Tokenizer.load(tokenizer_folder)) as other:
        env = {"OPENCODER_ENGINE_URL": remote.url, "OPENCODER_CHAT_URL": other.url}
        editor = await start(env=env)
        other.say("Hello.", "<|im_end|>")
        assert (await editor.command("opencoder.chat", {"message": "Hi"}))["text"] == "Hello."
        remote.say("\n    return ")
        remote.say("1\n", "<|im_end|>")
        editor.open("def one():\n    ret\n")
        assert len(await editor.complete(1, 7)) == 1
        assert len(other.completions) == 1
