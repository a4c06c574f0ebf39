"""`serve` in front of another maker's server: OpenAI's chat with our template."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opencoder_lsp.prompt.conversation import TEMPLATES, Message, fit
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.api.conftest import HELLO, Api, Serve
from tests.fakes.model_folder import make_tokenizer_folder
from tests.fakes.remote import Remote


@pytest.fixture(params=["vLLM", "llama-server"])
async def remote(request: pytest.FixtureRequest, tokenizer: Tokenizer) -> AsyncIterator[Remote]:
    """Such a server."""
    async with Remote(request.param, tokenizer) as remote:
        yield remote


@pytest.fixture
def settings(model_folder: Path, remote: Remote) -> Settings:
    """Settings that lead to it."""
    return Settings.load(cli=[f"model.name={model_folder}", f"engine.url={remote.url}"])


async def test_a_chat_has_our_templates_ids_and_ends_at_our_stop(
    api: Api, remote: Remote, tokenizer: Tokenizer
) -> None:
    remote.say("Hello, you.", "<|im_end|>")
    async with api.post("/v1/chat/completions", {"messages": HELLO}) as response:
        answer = await response.json()
    assert answer["choices"][0]["message"]["content"] == "Hello, you."
    assert answer["choices"][0]["finish_reason"] == "stop"
    wanted = fit(TEMPLATES["chatml"], tokenizer, [Message("user", "hello")], 512).encoded.ids
    assert remote.completions[0]["prompt"] == wanted
    assert answer["usage"]["prompt_tokens"] == len(wanted)


async def test_probabilities_and_several_answers_are_as_our_engines(
    api: Api, remote: Remote
) -> None:
    for _ in range(2):
        remote.say("a", "<|im_end|>")
    body = {"messages": HELLO, "logprobs": True, "top_logprobs": 1, "n": 2, "seed": 1}
    async with api.post("/v1/chat/completions", body) as response:
        answer = await response.json()
    assert [one["message"]["content"] for one in answer["choices"]] == ["a", "a"]
    for choice in answer["choices"]:
        first = choice["logprobs"]["content"][0]
        assert (first["token"], first["logprob"], first["bytes"]) == ("a", -0.5, [97])
        assert first["top_logprobs"][0]["token"] == "a"


async def test_its_refusal_is_one_of_ours_before_the_stream_begins(
    api: Api, remote: Remote
) -> None:
    from starlette.responses import JSONResponse

    remote.fail(JSONResponse({"error": {"message": "full"}}, 429, {"Retry-After": "60"}))
    body = {"messages": HELLO, "stream": True}
    async with api.post("/v1/chat/completions", body) as response:
        assert response.status == 429
        assert response.headers["retry-after"] == "60"
        assert "full" in (await response.json())["error"]["message"]


async def test_a_client_that_leaves_ends_its_work(api: Api, remote: Remote) -> None:
    remote.pause_after(2)
    remote.say("a long story")
    async with api.post("/v1/chat/completions", {"messages": HELLO, "stream": True}) as response:
        await response.content.readany()
    await remote.until(lambda: remote.left == 1)


async def test_a_chats_engine_may_be_another_than_that_of_texts(
    serve: Serve, settings: Settings, remote: Remote, tokenizer: Tokenizer
) -> None:
    async with Remote("vLLM", tokenizer) as texts:
        pairs = [f"model.name={settings.model.name}", f"engine.url={remote.url}"]
        both = Settings.load(cli=[*pairs, f"completion.url={texts.url}"])
        texts.say("text", "<|im_end|>")
        remote.say("chat", "<|im_end|>")
        async with serve(settings=both) as api:
            await api.state.completions.engine()
            async with api.post("/v1/completions", {"prompt": "x"}) as response:
                assert (await response.json())["choices"][0]["text"] == "text"
            async with api.post("/v1/chat/completions", {"messages": HELLO}) as response:
                message = (await response.json())["choices"][0]["message"]
        assert message["content"] == "chat"
    assert (len(texts.completions), len(remote.completions)) == (1, 1)


async def test_the_models_of_chats_and_of_texts_are_both_listed(
    serve: Serve, settings: Settings, remote: Remote, tmp_path: Path
) -> None:
    folder = make_tokenizer_folder(tmp_path / "coder", name="coder")
    async with Remote("vLLM", Tokenizer.load(folder)) as texts:
        pairs = [f"model.name={settings.model.name}", f"engine.url={remote.url}"]
        pairs += [f"completion.url={texts.url}", f"completion.model={folder}"]
        async with serve(settings=Settings.load(cli=pairs)) as api:
            await api.state.completions.engine()
            async with api.session.get(f"{api.url}/v1/models") as response:
                listed = [card["id"] for card in (await response.json())["data"]]
            async with api.session.get(f"{api.url}/v1/models/coder") as response:
                assert (await response.json())["id"] == "coder"
            texts.say("text", "<|im_end|>")
            answer = await api.ask("/v1/completions", prompt="x", model="coder")
            status, refusal = await api.tell("/v1/completions", prompt="x", model="tiny")
    assert listed == ["tiny", "coder"]
    assert (answer["model"], answer["choices"][0]["text"]) == ("coder", "text")
    assert (status, refusal["error"]["code"]) == (404, "model_not_found")
