"""The official client of OpenAI's, against the server as a process of its own."""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest
from openai import AsyncOpenAI

from tests.api.process import ServeProcess
from tests.fakes.engine import FakeEngine


@pytest.fixture
async def client(process: ServeProcess) -> AsyncIterator[AsyncOpenAI]:
    """The client; it does not try again by itself."""
    async with AsyncOpenAI(base_url=process.url, api_key="none", max_retries=0) as client:
        yield client


async def test_it_answers_asks_for_several_and_stops(client: AsyncOpenAI, fake: FakeEngine) -> None:
    fake.answer("Hello, you.", cached_tokens=3)
    answer = await client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "Hello"}], user="me", store=False
    )
    assert answer.choices[0].message.content == "Hello, you."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 2
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    fake.answer("one two three", others=["four"])
    answer = await client.chat.completions.create(
        model="tiny",
        messages=[
            {"role": "developer", "content": "Count."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        ],
        n=2,
        stop=[" three"],
        max_completion_tokens=1,
        tools=[],
    )
    assert [choice.message.content for choice in answer.choices] == ["one ", "four"]
    assert [choice.finish_reason for choice in answer.choices] == ["length", "stop"]


async def test_it_streams_with_usage_and_probabilities(
    client: AsyncOpenAI, fake: FakeEngine
) -> None:
    fake.answer("one two three")
    stream = await client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "Hello"}],
        stream=True,
        stream_options={"include_usage": True},
        logprobs=True,
        top_logprobs=1,
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(texts) == "one two three"
    scores = [choice.logprobs for chunk in chunks for choice in chunk.choices if choice.logprobs]
    tokens = [token for score in scores for token in score.content or ()]
    assert [token.token for token in tokens] == ["one ", "two ", "three"]
    assert tokens[0].top_logprobs[0].bytes == list(b"one ")
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


async def test_the_clients_own_stream_helper_understands_it(
    client: AsyncOpenAI, fake: FakeEngine
) -> None:
    fake.answer("one two")
    messages = [{"role": "user", "content": "Hello"}]
    async with client.chat.completions.stream(model="tiny", messages=messages) as stream:  # type: ignore[arg-type]
        kinds = [event.type async for event in stream]
        final = await stream.get_final_completion()
    assert "content.delta" in kinds
    assert kinds[-1] == "content.done"
    assert final.choices[0].message.content == "one two"


async def test_it_completes_text_and_token_ids(client: AsyncOpenAI, fake: FakeEngine) -> None:
    fake.answer("one two")
    answer = await client.completions.create(model="tiny", prompt="x", logprobs=1, max_tokens=2)
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("one two", "stop")
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.tokens == ["one ", "two"]
    fake.answer("one two")
    stream = await client.completions.create(model="tiny", prompt=[5, 6], stream=True)
    assert "".join([c.choices[0].text async for c in stream if c.choices]) == "one two"
    assert fake.requests[1]["prompt"] == [5, 6]


async def test_models_are_listed_and_looked_up(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["tiny"]
    assert (await client.models.retrieve("tiny")).owned_by == "opencoder-lsp"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-4")


async def test_errors_are_the_clients_own_kinds(client: AsyncOpenAI, fake: FakeEngine) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.BadRequestError) as bad:
        await create(model="tiny", messages=[{"role": "user", "content": ""}])
    assert (bad.value.param, bad.value.type) == ("messages", "invalid_request_error")
    with pytest.raises(openai.BadRequestError) as long:
        await create(model="tiny", messages=[{"role": "user", "content": "1" * 5000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.NotFoundError) as missing:
        await create(model="gpt-4", messages=[{"role": "user", "content": "x"}])
    assert missing.value.code == "model_not_found"
    fake.fail_with(429, "full", retry_after=1)
    with pytest.raises(openai.RateLimitError):
        await create(model="tiny", messages=[{"role": "user", "content": "x"}])
    fake.error_mid_stream("out of luck")
    stream = await create(model="tiny", messages=[{"role": "user", "content": "x"}], stream=True)
    with pytest.raises(openai.APIError, match="out of luck"):
        _ = [chunk async for chunk in stream]


async def test_a_queue_that_was_full_is_tried_again(
    process: ServeProcess, fake: FakeEngine
) -> None:
    fake.fail_with(429, "full", retry_after=0)
    async with AsyncOpenAI(base_url=process.url, api_key="none", max_retries=1) as client:
        messages = [{"role": "user", "content": "x"}]
        answer = await client.chat.completions.create(model="tiny", messages=messages)  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "fake .answer"


@pytest.mark.fault("F47")
@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_ends_the_engines_work(
    client: AsyncOpenAI, fake: FakeEngine, stream: bool
) -> None:
    fake.pause_after(1)

    async def ask() -> None:
        answer = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "x"}], stream=stream
        )
        assert isinstance(answer, openai.AsyncStream)
        _ = [chunk async for chunk in answer]

    asking = asyncio.create_task(ask())
    await fake.paused()
    asking.cancel()
    await fake.cancelled()
