"""What clients get, over HTTP, for what the engine says."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.errors import ModelError
from opencoder_lsp.settings import Settings
from tests.api.conftest import HELLO, Api, Serve
from tests.fakes.engine import FakeEngine


def deltas(events: list[Any], index: int = 0) -> str:
    """Return the text of one choice of a chat stream."""
    choices = [choice for event in events[:-1] for choice in event["choices"]]
    return "".join(
        choice["delta"].get("content", "") for choice in choices if choice["index"] == index
    )


async def test_a_chat_answer_has_openais_shape(api: Api, fake: FakeEngine) -> None:
    fake.answer("Hello, you.", cached_tokens=5)
    answer = await api.ask(model="tiny")
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["model"] == "tiny"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello, you.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    prompt = len(fake.requests[0]["prompt"])
    assert answer["usage"] == {
        "prompt_tokens": prompt,
        "completion_tokens": 2,
        "total_tokens": prompt + 2,
        "prompt_tokens_details": {"cached_tokens": 5},
    }


async def test_a_chat_stream_begins_with_the_role_and_ends_with_the_reason(
    api: Api, fake: FakeEngine
) -> None:
    fake.answer("one two three", finish_reason="length")
    events = await api.stream()
    assert events[-1] == "[DONE]"
    chunks = events[:-1]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert deltas(events) == "one two three"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["length"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)


async def test_usage_comes_in_a_chunk_of_its_own_where_it_is_asked_for(
    api: Api, fake: FakeEngine
) -> None:
    for path in ("/v1/chat/completions", "/v1/completions"):
        fake.answer("one two")
        body = {} if "chat" in path else {"prompt": "x"}
        *chunks, last, done = await api.stream(path, stream_options={"include_usage": True}, **body)
        assert done == "[DONE]"
        assert all(chunk["usage"] is None for chunk in chunks)
        assert last["choices"] == []
        assert last["usage"]["completion_tokens"] == 2


async def test_each_choice_has_its_role_its_text_and_its_end(api: Api, fake: FakeEngine) -> None:
    fake.answer("one two", others=["three", "four"])
    events = await api.stream(n=3)
    assert [deltas(events, index) for index in range(3)] == ["one two", "three", "four"]
    choices = [choice for event in events[:-1] for choice in event["choices"]]
    for index in range(3):
        own = [choice for choice in choices if choice["index"] == index]
        assert own[0]["delta"]["role"] == "assistant"
        assert own[-1]["finish_reason"] == "stop"
    fake.answer("one two", others=["three", "four"])
    answer = await api.ask(n=3)
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert texts == ["one two", "three", "four"]


async def test_probabilities_have_chats_form(api: Api, fake: FakeEngine) -> None:
    fake.answer(["é", "bytes:\\xf0\\x9f", "token_id:7"])
    answer = await api.ask(logprobs=True, top_logprobs=1)
    content = answer["choices"][0]["logprobs"]["content"]
    assert [token["bytes"] for token in content] == [[0xC3, 0xA9], [0xF0, 0x9F], None]
    first = {"token": "é", "logprob": -0.5, "bytes": [0xC3, 0xA9]}
    assert content[0] == {**first, "top_logprobs": [first]}
    fake.answer("a b")
    events = await api.stream(logprobs=True)
    scored = [event["choices"][0]["logprobs"] for event in events[:-1]]
    assert [bool(one) for one in scored] == [False, True, True, False]
    assert scored[1]["content"][0]["top_logprobs"] == []
    assert "logprobs" not in (await api.stream())[0]["choices"][0]


async def test_a_text_answer_has_openais_shape(api: Api, fake: FakeEngine) -> None:
    fake.answer("a b")
    answer = await api.ask("/v1/completions", prompt="x", logprobs=1)
    assert answer["object"] == "text_completion"
    [choice] = answer["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("a b", "stop")
    assert choice["logprobs"] == {
        "tokens": ["a ", "b"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"a ": -0.5}, {"b": -0.5}],
        "text_offset": [0, 2],
    }
    fake.answer("a b")
    *chunks, done = await api.stream("/v1/completions", prompt="x")
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "a b"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
    assert done == "[DONE]"


@pytest.mark.fault("F49")
async def test_whatever_a_model_says_is_one_json_text_an_event(api: Api, fake: FakeEngine) -> None:
    said = ["a\r\ndata: {}\n\n", "data: [DONE]\n\n", "\u2028é😀\x00", '"}]}']
    fake.answer(said)
    events = await api.stream()
    assert deltas(events) == "".join(said)
    assert events.count("[DONE]") == 1


@pytest.mark.fault("F49")
async def test_stop_strings_reach_the_engine_and_end_the_answer(api: Api, fake: FakeEngine) -> None:
    fake.answer(["one ", "tw", "o ", "three"])
    answer = await api.ask(stop=["two", "x"])
    assert fake.requests[0]["stop"] == ["two", "x"]
    assert answer["choices"][0]["message"]["content"] == "one "
    assert answer["choices"][0]["finish_reason"] == "stop"


@pytest.mark.fault("F47")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_engines_work(
    api: Api, fake: FakeEngine, stream: bool
) -> None:
    fake.pause_after(1)
    body = {"messages": HELLO, "stream": stream}
    asking = asyncio.create_task(api.session.post(f"{api.url}/v1/chat/completions", json=body))
    await fake.paused()
    if stream:
        (await asking).close()
    else:
        asking.cancel()
    await fake.cancelled()
    fake.resume()
    assert await api.ask()


@pytest.mark.fault("F47")
async def test_a_client_that_leaves_before_the_engine_has_begun_ends_its_work(
    api: Api, fake: FakeEngine
) -> None:
    fake.hold()
    asking = asyncio.create_task(api.ask(stream=True))
    await fake.paused()
    asking.cancel()
    await fake.cancelled()


@pytest.mark.fault("F47")
async def test_many_that_leave_at_any_time_leave_nothing_behind(api: Api, fake: FakeEngine) -> None:
    fake.pause_after(1)
    for number in range(60):
        asking = asyncio.create_task(api.ask(stream=number % 2 == 0))
        for _ in range(number):  # of the event loop's turns, to leave at another point each time
            await asyncio.sleep(0)
        asking.cancel()
    fake.resume()
    assert await api.ask()
    await fake.until(lambda: fake.running == 0)
    while api.app.under_way:  # it hears of each client's going by and by
        assert (await api.session.get(f"{api.url}/health")).status == 200
    async with api.session.get(f"{api.url}/metrics") as response:
        assert "opencoder_api_running 0.0" in await response.text()


async def test_an_error_in_mid_stream_is_an_event_and_no_clean_end(
    api: Api, fake: FakeEngine
) -> None:
    fake.error_mid_stream("out of luck")
    *chunks, last = await api.stream()
    assert deltas([*chunks, last]) == "half an "
    assert last["error"]["message"] == "out of luck"
    assert last["error"]["type"] == "server_error"
    fake.die_mid_stream()
    assert (await api.stream())[-1]["error"]["type"] == "server_error"
    fake.error_mid_stream("out of luck")
    status, answer = await api.tell()
    assert (status, answer["error"]["message"]) == (500, "out of luck")


@pytest.mark.fault("F50")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_full_queue_is_429_with_a_time_to_come_back(
    api: Api, fake: FakeEngine, stream: bool
) -> None:
    fake.fail_with(429, "32 requests are waiting already", code="busy", retry_after=2.5)
    body = {"messages": HELLO, "stream": stream}
    async with api.post("/v1/chat/completions", body) as response:
        assert response.status == 429
        assert response.headers["retry-after"] == "3"
        error = (await response.json())["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "busy")


@pytest.mark.fault("F50")
async def test_more_than_the_engine_has_room_for_are_refused_at_the_door(
    serve: Serve, fake: FakeEngine, settings: Settings
) -> None:
    fake.set_health(slots=1)
    fake.hold()
    room = 1 + settings.engine.queue
    async with serve() as api:
        asked = [asyncio.create_task(api.ask()) for _ in range(room)]
        await fake.paused(room)
        status, answer = await api.tell()
        assert (status, answer["error"]["code"]) == (429, "busy")
        assert len(fake.requests) == room
        asked.pop().cancel()
        await fake.cancelled()
        fake.resume()
        assert len(await asyncio.gather(*asked)) == room - 1
        assert await api.ask()


@pytest.mark.fault("F51")
async def test_while_the_engine_loads_it_is_503_and_health_says_so(
    serve: Serve, fake: FakeEngine
) -> None:
    fake.set_health(state="loading", progress=0.5)
    async with serve(ready=False) as api:
        await fake.leased()
        async with api.post("/v1/chat/completions", {"messages": HELLO}) as response:
            assert response.status == 503
            assert response.headers["retry-after"]
            assert (await response.json())["error"]["code"] == "loading"
        async with api.session.get(f"{api.url}/health") as response:
            assert (response.status, await response.json()) == (503, {"state": "loading"})
        fake.set_health(state="ready")
        await api.state.connection.engine()
        async with api.session.get(f"{api.url}/health") as response:
            assert (response.status, await response.json()) == (200, {"state": "ready"})
        assert await api.ask()


async def test_without_a_model_it_is_503_with_the_cure(serve: Serve, model_folder: Path) -> None:
    tokenizer = model_folder / "tokenizer.json"
    tokenizer.rename(away := model_folder / "away")
    try:
        async with serve(ready=False) as api:
            with pytest.raises(ModelError):
                await api.state.connection.engine()
            async with api.session.get(f"{api.url}/v1/models") as response:
                assert response.status == 503
                assert "models pull" in (await response.json())["error"]["message"]
            status, answer = await api.tell()
            assert (status, answer["error"]["type"]) == (503, "server_error")
    finally:
        away.rename(tokenizer)


async def test_models_are_listed_and_known_by_their_names(api: Api) -> None:
    async with api.session.get(f"{api.url}/v1/models") as response:
        [card] = (await response.json())["data"]
    assert (card["id"], card["object"], card["max_model_len"]) == ("tiny", "model", 2048)
    async with api.session.get(f"{api.url}/v1/models/tiny") as response:
        assert await response.json() == card
    async with api.session.get(f"{api.url}/v1/models/openchat/opencoderplus") as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "model_not_found"


async def test_an_unknown_route_or_method_is_an_error_object(api: Api) -> None:
    for method, path, status in [("GET", "/v1/nothing", 404), ("GET", "/v1/completions", 405)]:
        async with api.session.request(method, api.url + path) as response:
            assert response.status == status
            assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_what_is_counted_is_told_to_prometheus(api: Api, fake: FakeEngine) -> None:
    fake.answer("one two three", cached_tokens=4)
    await api.ask()
    async with api.session.get(f"{api.url}/metrics") as response:
        text = await response.text()
    assert 'opencoder_api_tokens_total{kind="completion"} 3.0' in text
    assert 'opencoder_api_tokens_total{kind="cached"} 4.0' in text
    assert 'opencoder_api_responses_total{route="/v1/chat/completions",status="200"} 1.0' in text
