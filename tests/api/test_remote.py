"""The API as the engine of a front on another machine."""

import json
from collections.abc import AsyncIterator

import pytest

from opencoder_lsp.api.keys import Keys
from opencoder_lsp.api.security import Policy
from opencoder_lsp.client.access import Access
from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from opencoder_lsp.client.launcher import Launcher
from opencoder_lsp.errors import EngineBusyError, EngineError, InvalidRequestError
from opencoder_lsp.settings import Settings
from tests.api.conftest import Api, Serve
from tests.fakes.engine import FakeEngine

REQUEST = CompletionRequest(
    prompt=[5, 6, 7],
    max_tokens=20,
    stop_token_ids=[3],
    stop=["x"],
    forced_prefix="re",
    priority=20,
    temperature=0.5,
    top_k=3,
    seed=0,
    n=2,
    logit_bias={5: -1.0},
    logprobs=1,
)


@pytest.fixture
async def launcher(api: Api, settings: Settings) -> AsyncIterator[Launcher]:
    """The way to the engine of a front whose engine is the API."""
    pairs = [f"model.name={settings.model.name}", f"engine.url={api.url}"]
    launcher = Launcher(Settings.load(cli=pairs))
    yield launcher
    await launcher.stop()


async def test_a_front_elsewhere_is_told_how_the_engine_is(
    launcher: Launcher, fake: FakeEngine, api: Api
) -> None:
    fake.set_health(prompt_tokens_auto=321, folder="/secret", settings={"threads": 2})
    await api.state.connection.engine()
    await launcher.client()
    health = launcher.health
    assert health is not None
    assert (health.state, health.model, health.context_length) == ("ready", "tiny", 2048)
    assert (health.folder, health.pid, health.settings) == ("", 0, {})


async def test_its_requests_reach_the_engine_as_they_are(
    launcher: Launcher, fake: FakeEngine
) -> None:
    client = await launcher.client()
    fake.answer("turn 1", others=["ply"])
    async with client.complete(REQUEST) as stream:
        pieces = [piece async for piece in stream.pieces]
    texts = ["".join(piece.text for piece in pieces if piece.index == n) for n in range(2)]
    assert texts == ["return 1", "reply"]
    assert stream.finish_reasons == {0: "stop", 1: "stop"}
    assert stream.usage is not None
    assert stream.usage.prompt_tokens == 3
    assert any(piece.logprobs for piece in pieces)
    assert fake.requests == [json.loads(json.dumps(REQUEST.body()))]


async def test_leaving_ends_the_work_behind_it(launcher: Launcher, fake: FakeEngine) -> None:
    client = await launcher.client()
    fake.pause_after(1)
    async with client.complete(REQUEST) as stream:
        assert await anext(stream.pieces)
    await fake.cancelled()


async def test_errors_keep_their_kind(launcher: Launcher, fake: FakeEngine) -> None:
    client = await launcher.client()
    fake.fail_with(429, "full", retry_after=7)
    with pytest.raises(EngineBusyError) as busy:
        await read(client)
    assert busy.value.retry_after == 7
    fake.fail_with(400, "prompt: too long")
    with pytest.raises(InvalidRequestError, match="prompt: too long"):
        await read(client)
    fake.error_mid_stream("out of luck")
    with pytest.raises(EngineError, match="out of luck"):
        await read(client)


async def read(client: EngineClient) -> None:
    async with client.complete(REQUEST) as stream:
        _ = [piece async for piece in stream.pieces]


async def test_a_key_is_the_password_of_the_address(serve: Serve, fake: FakeEngine) -> None:
    key = "0123456789abcdef"
    async with serve(Policy("127.0.0.1", 0, Keys({"me": key}, at_once=1))) as api:
        address = f"127.0.0.1:{api.port}"
        client = EngineClient(f"http://me:{key}@{address}")
        async with client.events() as healths:
            assert (await anext(healths)).state == "ready"
        await read(client)
        await client.close()
        for url in (f"http://{address}", f"http://me:wrong-{key}@{address}"):
            client = EngineClient(url)
            with pytest.raises(EngineError, match="give one of the server's keys") as refused:
                await read(client)
            assert key not in str(refused.value)
            await client.close()


async def test_health_names_the_model_to_who_has_a_key_and_the_setting_to_who_has_none(
    serve: Serve, fake: FakeEngine
) -> None:
    key = "0123456789abcdef"
    async with serve(Policy("127.0.0.1", 0, Keys({"me": key}, at_once=1))) as api:
        client = EngineClient(api.url, access=Access(key))
        health = await client.health()
        assert (health.state, health.model, health.context_length) == ("ready", "tiny", 2048)
        await client.close()
        client = EngineClient(api.url, access=Access("another"))
        with pytest.raises(EngineError, match=r"HTTP 401: .*; set engine\.key_file"):
            await client.health()
        await client.close()


async def test_health_is_told_whole_also_while_the_server_is_not_ready(
    serve: Serve, fake: FakeEngine
) -> None:
    fake.set_health(state="loading", progress=0.25)
    async with serve(ready=False) as api:
        client = EngineClient(api.url)
        async with client.events() as healths:
            while (await anext(healths)).progress != 0.25:
                pass
        health = await client.health()
        assert (health.state, health.progress, health.model) == ("loading", 0.25, "tiny")
        await client.close()


async def test_it_hears_when_the_engine_goes_and_when_the_server_does(
    api: Api, fake: FakeEngine
) -> None:
    client = EngineClient(api.url)
    async with client.events() as healths:
        assert (await anext(healths)).state == "ready"
        fake.set_health(state="error", cause="a step took too long")
        assert (await anext(healths)).cause == "a step took too long"
        api.state.drain()
        assert [health.state async for health in healths] == ["draining"]
    await client.close()
