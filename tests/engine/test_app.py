"""The engine's HTTP, over a real Unix socket."""

import asyncio
import io
import json
from typing import Any

import aiohttp
import pytest

from tests.engine.conftest import Serve, events, in_thread
from tests.fakes.clock import Clock
from tests.fakes.runner import FakeRunner


async def test_an_answer_has_openais_shape(served: Serve) -> None:
    async with served() as engine:
        answer = await engine.ask(max_tokens=3)
    assert answer["object"] == "text_completion"
    assert answer["model"] == "tiny"
    assert answer["id"].startswith("cmpl-")
    [choice] = answer["choices"]
    assert (choice["text"], choice["finish_reason"], choice["index"]) == ("abc", "length", 0)
    assert answer["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 3,
        "total_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


async def test_a_stream_gives_pieces_then_the_usage_then_done(served: Serve) -> None:
    async with served() as engine, engine.post(max_tokens=5, stream=True) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        *chunks, done = [event async for event in events(response)]
    assert done == "[DONE]"
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "abcde"
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["length"]
    assert chunks[-1]["usage"]["completion_tokens"] == 5
    assert len({chunk["id"] for chunk in chunks}) == 1


async def test_pieces_arrive_while_the_answer_is_being_made(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        runner.pause()
        async with engine.post(max_tokens=3, stream=True) as response:
            stream = events(response)
            runner.release(1)
            first = await anext(stream)
            assert first["choices"][0]["text"] == "a"
            runner.release()
            assert [event async for event in stream][-1] == "[DONE]"


async def test_a_second_request_finds_the_prompt_of_the_first(served: Serve) -> None:
    async with served() as engine:
        await engine.ask(prompt=[1, 2, 3, 4])
        answer = await engine.ask(prompt=[1, 2, 3, 4, 5])
        assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}


async def test_a_text_prompt_is_encoded_plainly(served: Serve) -> None:
    async with served() as engine:
        assert (await engine.ask(prompt="héllo"))["usage"]["prompt_tokens"] == 6


async def test_a_forced_prefix_is_part_of_the_answer(served: Serve) -> None:
    async with served() as engine:
        answer = await engine.ask(forced_prefix="xyz", max_tokens=5)
        assert answer["choices"][0]["text"] == "xyzde"


async def test_warming_answers_without_text(served: Serve) -> None:
    async with served() as engine:
        answer = await engine.ask(max_tokens=0)
        assert answer["choices"][0] == {
            "index": 0,
            "text": "",
            "finish_reason": "length",
            "logprobs": None,
        }


async def test_stop_ids_end_an_answer(served: Serve) -> None:
    async with served() as engine:
        answer = await engine.ask(stop_token_ids=[ord("d")], max_tokens=9)
        assert answer["choices"][0]["text"] == "abc"
        assert answer["choices"][0]["finish_reason"] == "stop"


@pytest.mark.fault("F23", "F47")
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_stops_its_request_before_the_next_step(
    served: Serve, stream: bool
) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        runner.pause()
        task = asyncio.create_task(read_all(engine.post(max_tokens=500, stream=stream)))
        await in_thread(runner.wait_until_held)
        runner.release(3)
        await in_thread(runner.wait_for_steps, 3)
        await in_thread(runner.wait_until_held)  # in front of the fourth
        task.cancel()
        await engine.cancelled.wait()
        runner.release()
        await engine.until_unfinished(0)
        assert len(runner.steps) == 4  # the one in flight and no other
        assert (await engine.get("/health"))["running"] == 0


@pytest.mark.fault("F23", "F47")
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_during_its_prompt_stops_it_between_chunks(
    served: Serve, stream: bool
) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        runner.pause()
        post = engine.post(prompt=[1] * 900, stream=stream)
        task = asyncio.create_task(read_all(post))
        await in_thread(runner.wait_until_held)
        task.cancel()
        await engine.cancelled.wait()
        runner.release()
        await engine.until_unfinished(0)
        assert [step[0][1:] for step in runner.steps] == [(0, 64)]


@pytest.mark.fault("F23", "F47")
async def test_a_client_that_leaves_the_queue_is_never_computed(served: Serve) -> None:
    runner = FakeRunner(slots=1)
    async with served(runner) as engine:
        runner.pause()
        first = asyncio.create_task(engine.ask())
        await in_thread(runner.wait_until_held)
        second = asyncio.create_task(read_all(engine.post(stream=True)))
        await engine.until_unfinished(2)
        second.cancel()
        await engine.cancelled.wait()
        runner.release()
        await first
        await engine.until_unfinished(0)
        assert {name for step in runner.steps for name, *_ in step} == {"cmpl-1"}


async def read_all(post: Any) -> bytes:
    async with post as response:
        body: bytes = await response.read()
        return body


@pytest.mark.fault("F54")
async def test_a_failing_step_is_an_error_and_the_next_request_works(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        runner.fail = RuntimeError("boom")
        status, error = await engine.refused()
        assert (status, error["code"]) == (500, "generation_failed")
        assert (await engine.ask(max_tokens=2))["choices"][0]["text"] == "ab"


@pytest.mark.fault("F54")
async def test_a_failure_inside_a_stream_is_an_event_and_not_a_clean_end(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        runner.pause()
        async with engine.post(stream=True) as response:
            stream = events(response)
            runner.release(1)
            assert (await anext(stream))["choices"][0]["text"] == "a"
            runner.fail = RuntimeError("boom")
            runner.release()
            [last] = [event async for event in stream]
        assert last["error"]["code"] == "generation_failed"


@pytest.mark.fault("F55")
async def test_an_overdue_request_is_told_which_setting_to_raise(served: Serve) -> None:
    runner, clock = FakeRunner(slots=1), Clock()
    async with served(runner, request_seconds=60, clock=clock) as engine:
        runner.pause()
        async with engine.post(stream=True, max_tokens=500) as response:
            waits = asyncio.create_task(engine.refused())
            await engine.until_unfinished(2)
            await in_thread(runner.wait_until_held)
            clock.now += 61
            runner.release()
            *_, last = [event async for event in events(response)]
        status, error = await waits
        assert status == 504
        assert last["error"] == error
        assert (error["code"], error["type"]) == ("timeout", "server_error")
        assert "engine.request_seconds" in error["message"]
        await engine.ask()


@pytest.mark.fault("F50")
async def test_a_full_queue_is_refused_with_a_time_to_come_back(served: Serve) -> None:
    runner = FakeRunner(slots=1)
    async with served(runner, queue=2) as engine:
        runner.pause()
        tasks = [asyncio.create_task(engine.ask()) for _ in range(3)]
        await engine.until_unfinished(3)
        async with engine.post() as response:
            assert response.status == 429
            assert response.headers["retry-after"] == "1"
            assert (await response.json())["error"]["code"] == "busy"
        runner.release()
        await asyncio.gather(*tasks)
        await engine.ask()


@pytest.mark.fault("S8")
@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/completions", 405)]
)
async def test_unknown_paths_and_methods_get_an_error_object(
    served: Serve, method: str, path: str, status: int
) -> None:
    async with (
        served() as engine,
        engine.session.request(method, f"http://engine{path}") as response,
    ):
        assert response.status == status
        assert (await response.json())["error"]["type"] == "invalid_request_error"


@pytest.mark.fault("F45", "S14")
async def test_a_body_of_more_than_8_mb_is_refused(served: Serve) -> None:
    async with served() as engine:
        body = io.BytesIO(b'{"prompt": "' + b"x" * (8 * 1024 * 1024) + b'"}')
        async with engine.session.post("http://engine/v1/completions", data=body) as response:
            assert response.status == 413
        await engine.ask()


@pytest.mark.fault("F49")
async def test_lone_surrogates_in_json_are_a_400_and_line_ends_stay_inside_an_event(
    served: Serve,
) -> None:
    runner = FakeRunner(answer=lambda _: ord("\n"))
    async with served(runner) as engine:
        body = json.dumps({"prompt": "\ud800"}).encode()
        async with engine.session.post("http://engine/v1/completions", data=body) as response:
            assert response.status == 400
        async with engine.post(stream=True, max_tokens=3) as response:
            texts = [
                event["choices"][0]["text"] async for event in events(response) if event != "[DONE]"
            ]
        assert "".join(texts) == "\n\n\n"


@pytest.mark.fault("F47")
async def test_many_clients_that_leave_at_any_time_leave_nothing_behind(served: Serve) -> None:
    async with served(FakeRunner(slots=2), queue=100) as engine:
        for _ in range(5):
            tasks = [
                asyncio.create_task(read_all(engine.post(stream=n % 2 == 0, max_tokens=200)))
                for n in range(20)
            ]
            for n, task in enumerate(tasks):
                if n % 3:
                    await asyncio.sleep(0)
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await engine.until_unfinished(0)
        answer = await engine.ask(max_tokens=2)
        assert answer["choices"][0]["text"] == "ab"
        # One whose text was still being encoded may have come and gone meanwhile.
        await engine.until_unfinished(0)


async def test_a_connection_serves_one_request_after_the_other(served: Serve) -> None:
    async with served() as engine:
        assert isinstance(engine.session.connector, aiohttp.UnixConnector)
        for _ in range(3):
            await engine.ask()
