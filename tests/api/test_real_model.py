"""The whole way: OpenAI's client, `serve`, an engine that it starts, the demo model."""

from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from opencoder_lsp.client.launcher import running_engines, stop_engine
from tests.api.process import ServeProcess

MESSAGES: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "What is the capital of France? One word."}
]


@pytest.fixture
async def client(demo_environment: dict[str, str]) -> AsyncIterator[AsyncOpenAI]:
    """The client of a server with the demo model; its engine is ended with it."""
    async with ServeProcess(demo_environment) as process:
        async with AsyncOpenAI(base_url=process.url, api_key="none", max_retries=0) as client:
            yield client
        assert await process.end() == 0
    for engine in running_engines().values():
        stop_engine(engine)


async def ask(client: AsyncOpenAI, **fields: object) -> tuple[str, str, int]:
    """Return text, end and number of tokens of an answer."""
    answer = await client.chat.completions.create(  # type: ignore[call-overload]
        model="SmolLM2-135M-Instruct", messages=MESSAGES, temperature=0, **fields
    )
    choice = answer.choices[0]
    return choice.message.content, choice.finish_reason, answer.usage.completion_tokens


async def test_the_demo_model_answers_openais_client(client: AsyncOpenAI) -> None:
    text, reason, tokens = await ask(client, max_tokens=60)
    assert "Paris" in text
    assert reason == "stop"
    assert await ask(client, max_tokens=60) == (text, reason, tokens)
    # The answer's last token is not its end: that takes one more.
    assert (await ask(client, max_tokens=tokens))[1:] == ("length", tokens)
    assert (await ask(client, max_tokens=1))[1:] == ("length", 1)
    before, _, _ = text.partition("ari")
    assert (await ask(client, max_tokens=60, stop=["ari"]))[:2] == (before, "stop")
    stream = await client.chat.completions.create(
        model="demo",
        messages=MESSAGES,
        temperature=0,
        max_tokens=60,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    said = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(said) == text
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == tokens
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == usage.prompt_tokens - 1
    await check_scores(client, text, tokens)
    filled = await client.completions.create(
        model="demo",
        prompt="def add(a, b):\n    ret",
        suffix="\n\nprint(add(1, 2))\n",
        max_tokens=20,
        stop="\n",
    )
    assert filled.choices[0].text.startswith("urn a + b")


async def check_scores(client: AsyncOpenAI, text: str, tokens: int) -> None:
    """Two answers, both greedy, have the probabilities of each of their tokens."""
    scored = await client.chat.completions.create(
        model="demo",
        messages=MESSAGES,
        temperature=0,
        max_tokens=60,
        n=2,
        logprobs=True,
        top_logprobs=20,
    )
    for choice in scored.choices:
        assert choice.logprobs is not None
        content = choice.logprobs.content or []
        assert "".join(token.token for token in content) == choice.message.content == text
        assert [len(token.top_logprobs) for token in content] == [20] * tokens
        assert all(token.top_logprobs[0].token == token.token for token in content)
