"""The client of one engine: what it sends, reads and refuses."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from opencoder_lsp.client.engine import CompletionRequest, EngineClient, Health, Limits, Usage
from opencoder_lsp.errors import (
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)
from tests.fakes.engine import FakeEngine

REQUEST = CompletionRequest(prompt=[1, 2, 3], max_tokens=64, stop_token_ids=[0])


async def ask(client: EngineClient, request: CompletionRequest = REQUEST) -> str:
    async with client.complete(request) as stream:
        return "".join([piece async for piece in stream])


async def test_a_stream_gives_pieces_then_reason_and_usage(
    fake: FakeEngine, client: EngineClient
) -> None:
    fake.answer("def main(): pass", cached_tokens=2)
    async with client.complete(REQUEST) as stream:
        assert [piece async for piece in stream] == ["def ", "main(): ", "pass"]
    assert stream.finish_reason == "stop"
    assert stream.usage == Usage(prompt_tokens=3, completion_tokens=3, cached_tokens=2)


async def test_the_request_goes_out_as_it_is(fake: FakeEngine, client: EngineClient) -> None:
    fields: dict[str, Any] = {
        "prompt": [5, 6],
        "max_tokens": 1,
        "stop_token_ids": [7],
        "forced_prefix": "  re",
        "priority": 10,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 3,
    }
    async with client.complete(CompletionRequest(**fields)) as stream:
        text = "".join([piece async for piece in stream])
    how = {"stream": True, "stream_options": {"include_usage": True}}
    assert fake.requests == [{**fields, **how}]
    assert text == "  "
    assert stream.finish_reason == "length"


async def test_defaults_that_others_do_not_know_are_not_sent(
    fake: FakeEngine, client: EngineClient
) -> None:
    await ask(client)
    assert not {"forced_prefix", "priority", "top_k", "seed"} & set(fake.requests[0])
    assert fake.requests[0]["temperature"] == 0


async def test_the_answer_contains_the_forced_prefix(
    fake: FakeEngine, client: EngineClient
) -> None:
    fake.answer("turn x")
    request = CompletionRequest(prompt=[1], max_tokens=9, forced_prefix="re")
    assert await ask(client, request) == "return x"


async def test_text_of_every_alphabet_arrives_whole(fake: FakeEngine, client: EngineClient) -> None:
    text = "naïve 🎉\u2028 \x0c汉字\r\n data: [DONE] "
    fake.answer([*text])
    assert await ask(client) == text


async def test_health_is_read(client: EngineClient) -> None:
    health = await client.health()
    assert isinstance(health, Health)
    assert (health.state, health.context_length, health.waiting) == ("ready", 2048, 0)


async def test_events_follow_every_change(fake: FakeEngine, client: EngineClient) -> None:
    async with client.events() as healths:
        assert (await anext(healths)).state == "ready"
        fake.set_health(state="draining")
        assert (await anext(healths)).state == "draining"
        assert fake.leases == 1
    await fake.leased(0)


async def test_a_lease_on_which_there_is_nothing_to_tell_is_kept_by_comments(
    fake: FakeEngine, client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fakes.engine.KEEP_ALIVE", 0.01)
    async with client.events() as healths:
        assert (await anext(healths)).state == "ready"
        await fake.until(lambda: fake.beats >= 3)
        fake.set_health(state="draining")
        assert (await anext(healths)).state == "draining"


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_a_refused_request_carries_the_engines_message(
    fake: FakeEngine, client: EngineClient, status: int
) -> None:
    fake.fail_with(status, "the prompt has 9000 tokens, but at most 8192 fit")
    with pytest.raises(InvalidRequestError, match=r"^the prompt has 9000 .* 8192 fit$"):
        await ask(client)


@pytest.mark.fault("F50")
@pytest.mark.parametrize(("header", "seconds"), [(2.5, 2.5), (None, 1.0)])
async def test_a_full_queue_says_when_to_ask_again(
    fake: FakeEngine, client: EngineClient, header: float | None, seconds: float
) -> None:
    fake.fail_with(429, "32 requests wait", retry_after=header)
    with pytest.raises(EngineBusyError, match="32 requests wait") as error:
        await ask(client)
    assert error.value.retry_after == seconds


@pytest.mark.fault("F51")
async def test_a_loading_engine_is_unavailable(fake: FakeEngine, client: EngineClient) -> None:
    fake.set_health(state="loading")
    with pytest.raises(EngineUnavailableError, match="the engine is loading"):
        await ask(client)


async def test_an_engine_in_error_says_its_cause(fake: FakeEngine, client: EngineClient) -> None:
    fake.set_health(state="error", cause="model.safetensors is missing")
    with pytest.raises(EngineUnavailableError, match=r"model.safetensors is missing"):
        await ask(client)


async def test_other_failures_are_errors_of_the_engine(
    fake: FakeEngine, client: EngineClient
) -> None:
    fake.fail_with(500, "out of memory")
    with pytest.raises(EngineError, match="HTTP 500: out of memory") as error:
        await ask(client)
    assert type(error.value) is EngineError


@pytest.mark.fault("F56")
@pytest.mark.parametrize("end", ["die_mid_stream", "end_without_done"])
async def test_a_stream_that_ends_early_is_an_error(
    fake: FakeEngine, client: EngineClient, end: str
) -> None:
    getattr(fake, end)("half an ")
    async with client.complete(REQUEST) as stream:
        pieces = aiter(stream)
        assert [await anext(pieces), await anext(pieces)] == ["half ", "an "]
        with pytest.raises(EngineError, match="stopped in the middle of its answer"):
            await anext(pieces)
    assert await ask(client) == fake.default


@pytest.mark.fault("F54")
async def test_an_error_event_ends_the_stream_with_its_message(
    fake: FakeEngine, client: EngineClient
) -> None:
    fake.error_mid_stream("the model gave NaN")
    with pytest.raises(EngineError, match=r"^the model gave NaN$"):
        await ask(client)


@pytest.mark.fault("F56")
async def test_the_engines_death_ends_every_stream(fake: FakeEngine, client: EngineClient) -> None:
    fake.pause_after(1)
    tasks = [asyncio.create_task(ask(client)) for _ in range(3)]
    await fake.paused(3)
    fake.abort_connections()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results] == [
        "the engine stopped in the middle of its answer"
    ] * 3


@pytest.mark.fault("F56")
async def test_an_engine_that_dies_before_its_answer_is_named_as_that(
    fake: FakeEngine, client: EngineClient
) -> None:
    fake.hold()
    task = asyncio.create_task(ask(client))
    await fake.paused()
    suspicions = [client.suspect]
    fake.abort_connections()
    with pytest.raises(EngineError, match="stopped before it answered"):
        await task
    suspicions.append(client.suspect)
    await client.health()
    assert [*suspicions, client.suspect] == [False, True, False]


@pytest.mark.fault("F54")
async def test_a_stream_that_stands_still_is_cut(fake: FakeEngine) -> None:
    client = EngineClient(fake.url, limits=Limits(stall=0.05))
    fake.pause_after(1)
    with pytest.raises(EngineError, match=r"sent nothing for 0.05 s"):
        await ask(client)
    await fake.cancelled()
    await client.close()


async def test_the_first_piece_may_take_longer_than_a_stall(fake: FakeEngine) -> None:
    client = EngineClient(fake.url, limits=Limits(first=30, stall=0.3))
    fake.pause_after(0)
    task = asyncio.create_task(ask(client))
    await fake.paused()
    done, _ = await asyncio.wait({task}, timeout=0.5)
    assert not done
    fake.resume()
    assert await task == fake.default
    await client.close()


@pytest.mark.parametrize("url", ["unix:/nowhere/s", "http://127.0.0.1:9", "http://[::1]:9"])
async def test_where_nothing_listens_the_address_is_named(url: str) -> None:
    client = EngineClient(url)
    with pytest.raises(EngineUnavailableError) as error:
        await ask(client)
    assert str(error.value).startswith(f"no engine answers at {url}: ")
    await client.close()


async def test_an_unusable_address_is_unavailable() -> None:
    client = EngineClient("http://:0x")
    with pytest.raises(EngineUnavailableError, match="not a usable address"):
        await client.health()
    await client.close()


@pytest.mark.fault("S7")
async def test_a_password_in_the_address_is_not_told() -> None:
    client = EngineClient("http://me:secret@127.0.0.1:9")
    with pytest.raises(EngineUnavailableError) as error:
        await client.health()
    assert "secret" not in str(error.value)
    await client.close()


@pytest.mark.fault("F66")
async def test_an_environment_proxy_is_not_asked_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = asyncio.Event()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    client = EngineClient("http://localhost:9")
    with pytest.raises(EngineUnavailableError):
        await client.health()
    assert not asked.is_set()
    await client.close()
    server.close()


@pytest.mark.fault("F66")
async def test_prompts_and_answers_are_never_logged(
    fake: FakeEngine, client: EngineClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.answer("canary-answer")
    request = CompletionRequest(prompt=[31337], max_tokens=5, forced_prefix="canary-prefix")
    await ask(client, request)
    fake.die_mid_stream("canary-answer")
    with pytest.raises(EngineError):
        await ask(client, request)
    assert "canary" not in caplog.text
    assert "31337" not in caplog.text


async def test_a_client_that_was_closed_is_unavailable(client: EngineClient) -> None:
    await ask(client)
    await client.close("because")
    with pytest.raises(EngineUnavailableError, match="^because$"):
        await ask(client)


@pytest.mark.parametrize("stand_still", [FakeEngine.hold, lambda fake: fake.pause_after(1)])
async def test_closing_a_client_ends_every_request_on_it(
    fake: FakeEngine, client: EngineClient, stand_still: Callable[[FakeEngine], None]
) -> None:
    stand_still(fake)
    requests = [asyncio.create_task(ask(client)) for _ in range(3)]
    await fake.paused(3)
    await client.close()
    for request in requests:
        with pytest.raises(EngineUnavailableError, match="was closed while it was in use"):
            await request
    await fake.disconnected()
