"""All that can be asked of an engine: on the fake, and on the real one without a model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.client.engine import CompletionRequest, EngineClient, Logprobs, Piece, Usage
from opencoder_lsp.engine.request import Params, Score
from opencoder_lsp.engine.step import Outcome, Work
from tests.engine.conftest import Serve, in_thread
from tests.fakes.engine import FakeEngine
from tests.fakes.runner import FakeRunner

PROMPT = [1, 2, 3]


def spell(work: Work) -> Outcome:
    """Say a, b, c … in the answer of the first seed, b, c, d … in the next; score it."""
    token = ord("a") + (work.request.params.seed or 0) + work.request.output_tokens
    if work.request.params.logprobs is not None:
        work.request.score = Score(token, -0.5, ((token, -0.5),))
    return token


@pytest.fixture(params=["fake", "real"])
async def client(
    request: pytest.FixtureRequest, served: Serve, socket_path: Path
) -> AsyncIterator[EngineClient]:
    """A client of an engine that says "abc" and so on, and as its other answers "bcd", "cde"."""
    async with AsyncExitStack() as stack:
        if request.param == "fake":
            fake = await stack.enter_async_context(FakeEngine(socket_path))
            fake.answer(["a", "b", "c"], others=[[*"bcd"], [*"cde"]], finish_reason="length")
        else:
            await stack.enter_async_context(served(FakeRunner(answer=spell)))
        client = EngineClient(f"unix:{socket_path}")
        stack.push_async_callback(client.close)
        yield client


async def pieces_of(client: EngineClient, request: CompletionRequest) -> list[Piece]:
    async with client.complete(request) as stream:
        return [piece async for piece in stream.pieces]


def test_names_are_openais_and_defaults_are_not_sent() -> None:
    plain = CompletionRequest(prompt=PROMPT, max_tokens=1).body()
    options = {
        "n": 2,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "logit_bias": {7: -100.0},
        "logprobs": 0,
        "seed": 0,
        "top_k": 3,
        "priority": 20,
        "forced_prefix": "a",
        "stop": ["b"],
    }
    assert not options.keys() & plain.keys()
    every = CompletionRequest(prompt=PROMPT, max_tokens=1, **options)  # type: ignore[arg-type]
    assert every.body() == {**plain, **options}


async def test_each_answer_has_its_pieces_and_its_end(client: EngineClient) -> None:
    request = CompletionRequest(prompt=PROMPT, max_tokens=3, n=3, seed=0)
    async with client.complete(request) as stream:
        pieces = [piece async for piece in stream.pieces]
    texts = ["".join(p.text for p in pieces if p.index == index) for index in range(3)]
    assert texts == ["abc", "bcd", "cde"]
    assert stream.finish_reasons == {0: "length", 1: "length", 2: "length"}
    assert stream.usage is not None
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (3, 9)


async def test_the_iterator_gives_the_text_of_the_first_answer(client: EngineClient) -> None:
    request = CompletionRequest(prompt=PROMPT, max_tokens=3, n=3, seed=0)
    async with client.complete(request) as stream:
        assert "".join([text async for text in stream]) == "abc"
    assert stream.finish_reason == "length"


async def test_probabilities_come_with_their_tokens(client: EngineClient) -> None:
    request = CompletionRequest(prompt=PROMPT, max_tokens=3, logprobs=1)
    scores = [piece.logprobs for piece in await pieces_of(client, request) if piece.logprobs]
    joined = Logprobs(
        tokens=[token for score in scores for token in score.tokens],
        token_logprobs=[number for score in scores for number in score.token_logprobs],
        top_logprobs=[top for score in scores for top in score.top_logprobs or ()],
        text_offset=[offset for score in scores for offset in score.text_offset],
    )
    assert joined == Logprobs(
        tokens=["a", "b", "c"],
        token_logprobs=[-0.5] * 3,
        top_logprobs=[{"a": -0.5}, {"b": -0.5}, {"c": -0.5}],
        text_offset=[0, 1, 2],
    )


async def test_without_being_asked_for_there_are_no_probabilities(client: EngineClient) -> None:
    pieces = await pieces_of(client, CompletionRequest(prompt=PROMPT, max_tokens=3))
    assert {piece.logprobs for piece in pieces} == {None}


async def test_a_request_for_no_tokens_ends_without_text(client: EngineClient) -> None:
    request = CompletionRequest(prompt=PROMPT, max_tokens=0, priority=20)
    async with client.complete(request) as stream:
        assert [text async for text in stream] == []
    assert stream.finish_reason == "length"
    assert stream.usage == Usage(prompt_tokens=3, completion_tokens=0, cached_tokens=0)


async def test_what_was_warmed_is_not_computed_again(served: Serve, socket_path: Path) -> None:
    async with served():
        client = EngineClient(f"unix:{socket_path}")
        for max_tokens, cached in ((0, 0), (1, 2)):  # the last token is needed for its logits
            request = CompletionRequest(prompt=PROMPT, max_tokens=max_tokens)
            async with client.complete(request) as stream:
                assert len([text async for text in stream]) == max_tokens
            assert stream.usage == Usage(3, max_tokens, cached)
        await client.close()


async def test_the_engine_understands_every_option(served: Serve, socket_path: Path) -> None:
    same: dict[str, Any] = {
        "max_tokens": 4,
        "priority": 20,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 0,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "logprobs": 2,
    }
    request = CompletionRequest(
        prompt=PROMPT,
        stop_token_ids=[9],
        forced_prefix="a",
        logit_bias={7: -100.0, 8: 0.5},
        **same,
    )
    seen = list[Params]()

    def note(work: Work) -> Outcome:
        seen.append(work.request.params)
        return spell(work)

    async with served(FakeRunner(answer=note)):
        client = EngineClient(f"unix:{socket_path}")
        await pieces_of(client, request)
        await client.close()
    stop, biases = frozenset({9}), ((7, -100.0), (8, 0.5))
    assert seen[0] == Params(stop_ids=stop, forced_prefix=b"a", logit_bias=biases, **same)


async def test_leaving_ends_every_answer(served: Serve, socket_path: Path) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        client = EngineClient(f"unix:{socket_path}")
        runner.pause()
        request = CompletionRequest(prompt=PROMPT, max_tokens=500, n=3)
        async with asyncio.timeout(60), client.complete(request) as stream:
            runner.release(2)
            await anext(aiter(stream.pieces))
            await in_thread(runner.wait_until_held)
        await engine.cancelled.wait()
        runner.release()
        await engine.until_unfinished(0)
        assert len(runner.steps) < 100
        await client.close()
