"""The socket in front of an engine, and what is learnt there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opencoder_lsp.bench.likelihood import log_likelihood
from opencoder_lsp.bench.tap import Asked, Tap
from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from opencoder_lsp.errors import EngineBusyError, EngineError, InvalidRequestError
from tests.fakes.engine import FakeEngine


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    async with FakeEngine(tmp_path / "engine.sock", default="one two three") as engine:
        yield engine


@pytest.fixture
async def tap(fake: FakeEngine) -> AsyncIterator[Tap]:
    async with Tap(fake.url) as tap:
        yield tap


@pytest.fixture
async def client(tap: Tap) -> AsyncIterator[EngineClient]:
    client = EngineClient(tap.url)
    yield client
    await client.close()


def request(**fields: object) -> CompletionRequest:
    return CompletionRequest(**{"prompt": [1, 2, 3], "max_tokens": 16, **fields})  # type: ignore[arg-type]


async def test_answers_come_through_and_what_was_asked_is_noted(
    client: EngineClient, tap: Tap
) -> None:
    async with client.complete(request(forced_prefix="on")) as stream:
        assert "".join([piece async for piece in stream]).endswith("one two three")
    assert stream.usage is not None
    (asked,) = tap.take()
    assert asked == Asked((1, 2, 3), "on", 0)
    assert len(asked.events) >= 3
    assert asked.ended is not None
    assert asked.began < asked.events[0] <= asked.events[-1] <= asked.ended
    assert tap.take() == []


async def test_requests_that_only_warm_the_engine_are_not_noted(
    client: EngineClient, tap: Tap, fake: FakeEngine
) -> None:
    async with client.complete(request(max_tokens=0)) as stream:
        async for _ in stream:
            pass
    assert len(fake.requests) == 1
    assert tap.take() == []


async def test_a_stream_is_passed_on_while_it_is_made(
    client: EngineClient, fake: FakeEngine
) -> None:
    fake.pause_after(1)
    async with client.complete(request()) as stream:
        assert await anext(aiter(stream)) == "one "
        await fake.paused()
        fake.resume()


async def test_leaving_a_stream_reaches_the_engine(client: EngineClient, fake: FakeEngine) -> None:
    fake.pause_after(1)
    async with client.complete(request()) as stream:
        await anext(aiter(stream))
    async with asyncio.timeout(30):
        await fake.cancelled()


async def test_a_refusal_comes_through(client: EngineClient, fake: FakeEngine) -> None:
    fake.fail_with(429, "full", retry_after=2)
    with pytest.raises(EngineBusyError, match="full"):
        async with client.complete(request()):
            pass


async def test_an_engine_that_dies_in_its_answer_is_seen_to(
    client: EngineClient, fake: FakeEngine
) -> None:
    fake.die_mid_stream()
    async with client.complete(request()) as stream:
        pieces = aiter(stream)
        with pytest.raises(EngineError):
            [piece async for piece in pieces]


async def test_an_engine_that_has_gone_is_seen_to_have(tmp_path: Path) -> None:
    async with Tap(f"unix:{tmp_path}/nobody.sock") as tap:
        lonely = EngineClient(tap.url)
        with pytest.raises(EngineError):
            await lonely.health()
        await lonely.close()


async def test_leases_are_passed_on(client: EngineClient, fake: FakeEngine) -> None:
    async with client.events() as healths:
        assert (await anext(healths)).state == "ready"
        assert fake.leases == 1
        fake.set_health(state="draining")
        assert (await anext(healths)).state == "draining"
    async with asyncio.timeout(30):
        await fake.leased(0)


async def test_the_likelihood_of_a_text_is_the_sum_over_its_tokens(
    client: EngineClient, fake: FakeEngine
) -> None:
    assert await log_likelihood(client, [1, 2], [7, 8, 9]) == pytest.approx(-1.5)
    asked = sorted((tuple(body["prompt"]), body["logit_bias"]) for body in fake.requests)
    assert asked == [((1, 2), {"7": 100}), ((1, 2, 7), {"8": 100}), ((1, 2, 7, 8), {"9": 100})]


async def test_the_likelihood_of_nothing_is_that_of_certainty(client: EngineClient) -> None:
    assert await log_likelihood(client, [1, 2], []) == 0


async def test_an_engine_that_refuses_to_name_probabilities_is_asked_no_further(
    client: EngineClient, fake: FakeEngine
) -> None:
    for _ in range(3):
        fake.fail_with(400, "logprobs is not supported")
    with pytest.raises(InvalidRequestError, match="not supported"):
        await log_likelihood(client, [1, 2], [7, 8, 9])
