"""Several answers to one prompt, over a real Unix socket."""

import asyncio
import os
import signal
from collections import defaultdict
from typing import Any

import pytest

from opencoder_lsp.engine.request import Score
from opencoder_lsp.engine.step import Outcome, Work
from opencoder_lsp.errors import EngineError
from tests.engine.conftest import Serve, Served, events, in_thread
from tests.fakes.clock import Clock
from tests.fakes.runner import FakeRunner

PROMPT = list(range(1, 201))


def by_seed(work: Work) -> Outcome:
    """Answer with the letter that the seed stands for."""
    return ord("a") + (work.request.params.seed or 0)


def texts(answer: dict[str, Any]) -> list[str]:
    """Return the texts of a whole answer, whose choices have to be in order."""
    assert [choice["index"] for choice in answer["choices"]] == list(range(len(answer["choices"])))
    return [choice["text"] for choice in answer["choices"]]


async def read_all(post: Any) -> bytes:
    """Read an answer to its end."""
    async with post as response:
        body: bytes = await response.read()
        return body


async def hold_choices(runner: FakeRunner, engine: Served, count: int) -> None:
    """Compute PROMPT, in its four steps, and return when all choices have been handed in."""
    runner.pause()
    await in_thread(runner.wait_until_held)
    runner.release(4)
    await in_thread(runner.wait_for_steps, 4)
    await engine.until_unfinished(count)


async def test_each_choice_draws_with_a_seed_of_its_own(served: Serve) -> None:
    async with served(FakeRunner(answer=by_seed)) as engine:
        answer = await engine.ask(n=3, seed=4, max_tokens=2)
        assert texts(answer) == ["ee", "ff", "gg"]
        assert texts(await engine.ask(seed=5, max_tokens=2)) == ["ff"]


async def test_choices_compute_their_prompt_once_and_it_counts_once(served: Serve) -> None:
    runner = FakeRunner(answer=by_seed)
    async with served(runner) as engine:
        task = asyncio.create_task(engine.ask(prompt=PROMPT, n=4, max_tokens=3))
        await hold_choices(runner, engine, 4)
        runner.release()
        answer = await task
    assert answer["usage"] == {
        "prompt_tokens": 200,
        "completion_tokens": 12,
        "total_tokens": 212,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    computed = sum(count for step in runner.steps for _, _, count in step)
    assert computed == 200 + 4 * 3  # each its last prompt token and two of its own
    assert [rows for _, _, rows in runner.copies] == [199] * 3


async def test_more_choices_than_slots_are_all_answered(served: Serve) -> None:
    async with served(FakeRunner(slots=2, answer=by_seed)) as engine:
        answer = await engine.ask(n=8, seed=0, max_tokens=2)
        assert texts(answer) == [letter * 2 for letter in "abcdefgh"]


async def test_choices_stream_side_by_side_and_each_has_its_end(served: Serve) -> None:
    runner = FakeRunner(answer=by_seed)
    async with (
        served(runner) as engine,
        engine.post(n=3, seed=0, max_tokens=4, stream=True) as response,
    ):
        *chunks, done = [event async for event in events(response)]
    assert done == "[DONE]"
    said, reasons = defaultdict[int, str](str), dict[int, str]()
    for [choice] in (chunk["choices"] for chunk in chunks):
        assert choice["index"] not in reasons
        said[choice["index"]] += choice["text"]
        if choice["finish_reason"]:
            reasons[choice["index"]] = choice["finish_reason"]
    assert said == {0: "aaaa", 1: "bbbb", 2: "cccc"}
    assert reasons == {0: "length", 1: "length", 2: "length"}
    assert ["usage" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1]["usage"]["completion_tokens"] == 12
    assert len({chunk["id"] for chunk in chunks}) == 1


async def test_choices_are_computed_in_the_same_steps(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        task = asyncio.create_task(engine.ask(prompt=PROMPT, n=3, max_tokens=50))
        await hold_choices(runner, engine, 3)
        runner.release()
        await task
    assert [len(step) for step in runner.steps].count(3) >= 49


@pytest.mark.fault("F47")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("steps", [1, 10])  # within the prompt of four steps, and behind it
async def test_a_client_that_leaves_stops_all_its_choices(
    served: Serve, stream: bool, steps: int
) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        runner.pause()
        post = engine.post(prompt=PROMPT, n=4, max_tokens=500, stream=stream)
        task = asyncio.create_task(read_all(post))
        await in_thread(runner.wait_until_held)
        runner.release(steps)
        await in_thread(runner.wait_for_steps, steps)
        await in_thread(runner.wait_until_held)
        task.cancel()
        await engine.cancelled.wait()
        runner.release()
        await engine.until_unfinished(0)
        assert len(runner.steps) == steps + 1  # the one in flight and no other


@pytest.mark.fault("F55")
async def test_choices_have_the_deadline_of_the_whole_answer(served: Serve) -> None:
    runner, clock = FakeRunner(), Clock()
    async with served(runner, request_seconds=60, clock=clock) as engine:
        task = asyncio.create_task(engine.refused(prompt=PROMPT, n=3, max_tokens=500))
        runner.pause()
        await in_thread(runner.wait_until_held)
        clock.now += 40  # while their prompt is being computed
        runner.release(4)
        await in_thread(runner.wait_for_steps, 4)
        await engine.until_unfinished(3)
        await in_thread(runner.wait_until_held)
        clock.now += 21
        runner.release()
        assert (await task)[0] == 504
        await engine.until_unfinished(0)
        assert len(runner.steps) == 5  # the one in flight and no other


async def test_a_choice_that_fails_fails_the_answer_and_stops_the_others(served: Serve) -> None:
    def answer(work: Work) -> Outcome:
        failing = work.request.params.seed == 1 and work.request.output_tokens == 3
        return EngineError("NaN") if failing else ord("x")

    runner = FakeRunner(answer=answer)
    async with served(runner) as engine:
        status, error = await engine.refused(n=3, seed=0, max_tokens=900)
        assert (status, error["message"]) == (500, "NaN")
        await engine.until_unfinished(0)
        async with engine.post(n=3, seed=0, max_tokens=900, stream=True) as response:
            *_, last = [event async for event in events(response)]
        assert last["error"]["message"] == "NaN"
        await engine.until_unfinished(0)


@pytest.mark.fault("F50")
@pytest.mark.parametrize("stream", [True, False])
async def test_choices_for_which_the_queue_has_no_room_are_refused(
    served: Serve, stream: bool
) -> None:
    runner = FakeRunner(slots=1)
    async with served(runner, queue=2) as engine:
        runner.pause()
        runner.release(1)  # for the prompt: no choice is to end before the last has come
        async with engine.post(n=4, stream=stream) as response:
            if stream:
                *_, error = [event async for event in events(response)]
            else:
                assert response.status == 429
                assert response.headers["retry-after"] == "1"
                error = await response.json()
        assert error["error"]["code"] == "busy"
        runner.release()
        await engine.until_unfinished(0)
        assert len(texts(await engine.ask(n=3))) == 3


def with_scores(work: Work) -> Outcome:
    """Answer as `by_seed`, half as likely with each token."""
    token = by_seed(work)
    assert isinstance(token, int)
    if work.request.params.logprobs is not None:
        work.request.score = Score(token, -float(work.request.output_tokens), ((ord("z"), -0.5),))
    return token


async def test_scores_come_with_every_choice_streaming_or_not(served: Serve) -> None:
    body: dict[str, Any] = {"n": 2, "seed": 0, "max_tokens": 3, "logprobs": 1}
    async with served(FakeRunner(answer=with_scores)) as engine:
        whole = await engine.ask(**body)
        async with engine.post(**body, stream=True) as response:
            *chunks, _ = [event async for event in events(response)]
    expected = {
        "tokens": ["b", "b", "b"],
        "token_logprobs": [0.0, -1.0, -2.0],
        "top_logprobs": [{"z": -0.5, "b": -float(n)} for n in range(3)],
        "text_offset": [0, 1, 2],
    }
    assert whole["choices"][1]["logprobs"] == expected
    streamed: dict[str, list[Any]] = {name: [] for name in expected}
    for [choice] in (chunk["choices"] for chunk in chunks):
        if choice["index"] == 1 and choice["logprobs"]:
            for name in expected:
                streamed[name] += choice["logprobs"][name]
    assert streamed == expected


async def test_who_asks_for_no_scores_gets_none(served: Serve) -> None:
    async with served(FakeRunner(answer=with_scores)) as engine:
        assert (await engine.ask())["choices"][0]["logprobs"] is None
        [choice] = (await engine.ask(logprobs=0, max_tokens=1))["choices"]
        assert choice["logprobs"]["token_logprobs"] == [0.0]


async def test_warming_may_have_choices_too(served: Serve) -> None:
    async with served() as engine:
        assert texts(await engine.ask(n=2, max_tokens=0)) == ["", ""]


async def test_a_drain_says_why_it_cut_the_choices(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner, drain_seconds=0.05) as engine:
        runner.pause()
        async with engine.post(prompt=PROMPT, n=2, stream=True, max_tokens=500) as response:
            await in_thread(runner.wait_until_held)
            os.kill(os.getpid(), signal.SIGTERM)
            await engine.cancelled.wait()
            runner.release()
            assert [event async for event in events(response)][-1]["error"]["code"] == "draining"
        await engine.task
