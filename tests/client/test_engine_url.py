"""An engine elsewhere: `engine.url` is set, so nothing is started here."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from opencoder_lsp.client.engine import CompletionRequest, EngineClient, Health
from opencoder_lsp.client.launcher import Launcher
from opencoder_lsp.errors import EngineUnavailableError
from opencoder_lsp.settings import Settings
from tests.client.conftest import Engines
from tests.client.strangers import http, stranger
from tests.fakes.engine import FakeEngine

REQUEST = CompletionRequest(prompt=[1, 2, 3], max_tokens=16)


async def ask(client: EngineClient) -> str:
    async with client.complete(REQUEST) as stream:
        return "".join([piece async for piece in stream])


async def test_a_lease_is_held_while_the_launcher_lives(fake: FakeEngine) -> None:
    launcher = Launcher(Settings.load(cli=[f"engine.url={fake.url}"]))
    await launcher.client()
    await fake.leased(1)
    await launcher.stop()
    await fake.leased(0)


async def test_with_engine_url_nothing_is_started(engines: Engines, fake: FakeEngine) -> None:
    launcher = engines.launcher(f"engine.url={fake.url}")
    assert await ask(await launcher.client()) == "fake .answer"
    assert engines.started() == []


async def test_an_engine_elsewhere_that_still_loads_is_waited_for(fake: FakeEngine) -> None:
    fake.set_health(state="loading", progress=0.5)
    told: list[Health] = []
    launcher = Launcher(Settings.load(cli=[f"engine.url={fake.url}"]))
    waiting = asyncio.create_task(launcher.client(told.append))
    await fake.leased(1)
    assert not waiting.done()
    fake.set_health(state="ready", progress=1.0)
    await waiting
    assert [health.state for health in told] == ["loading", "ready"]
    await launcher.stop()


@pytest.mark.parametrize("url", ["unix:/nowhere/engine.sock", "http://127.0.0.1:9"])
async def test_an_unreachable_engine_elsewhere_is_named_with_the_cure(url: str) -> None:
    launcher = Launcher(Settings.load(cli=[f"engine.url={url}"]))
    with pytest.raises(EngineUnavailableError) as error:
        await launcher.client()
    assert f"no engine answers at {url}: " in str(error.value)
    assert "change engine.url (OPENCODER_ENGINE_URL)" in str(error.value)


async def test_an_engine_elsewhere_that_comes_back_is_used_again(short: Path) -> None:
    path = short / "engine.sock"
    launcher = Launcher(Settings.load(cli=[f"engine.url=unix:{path}"]), backoff=0)
    async with FakeEngine(path):
        assert await ask(await launcher.client()) == "fake .answer"
    with pytest.raises(EngineUnavailableError):
        await launcher.client()
    async with FakeEngine(path, default="back again"):
        assert await ask(await launcher.client()) == "back again"
        await launcher.stop()


@pytest.mark.fault("F51")
async def test_an_engine_that_is_about_to_end_is_not_asked_any_more(short: Path) -> None:
    launcher = Launcher(Settings.load(cli=[f"engine.url=unix:{short / 's'}"]), backoff=0)
    draining = asyncio.Event()
    async with FakeEngine(short / "s") as fake:
        await launcher.client()
        launcher.on_change = lambda health: draining.set()
        fake.set_health(state="draining")
        await draining.wait()
        waiting = asyncio.create_task(launcher.client())
        await fake.until(lambda: fake.told >= 3)  # it has attached anew
        assert not waiting.done()
    with pytest.raises(EngineUnavailableError, match="has just been stopped"):
        await waiting


async def test_another_makers_server_is_used_without_a_lease(short: Path) -> None:
    listing = b'{"data": [{"id": "their-model", "meta": {"n_ctx_train": 4096}}]}'
    async with stranger(short / "s", http("200 OK", listing)):
        launcher = Launcher(Settings.load(cli=[f"engine.url=unix:{short / 's'}"]))
        told: list[Health] = []
        client = await launcher.client(told.append)
        assert await launcher.client() is client
        assert [(health.model, health.context_length) for health in told] == [("their-model", 4096)]
        await launcher.stop()


async def test_another_makers_server_that_has_gone_is_noticed(short: Path) -> None:
    listing = b'{"data": [{"id": "their-model"}]}'
    launcher = Launcher(Settings.load(cli=[f"engine.url=unix:{short / 's'}"]))
    async with stranger(short / "s", http("200 OK", listing)):
        client = await launcher.client()
    with pytest.raises(EngineUnavailableError):
        await ask(client)
    with pytest.raises(EngineUnavailableError, match="change engine.url"):
        await launcher.client()


@pytest.mark.parametrize("turns", range(12))
async def test_whenever_a_launcher_is_stopped_no_connections_stay_open(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    sessions, make = list[aiohttp.ClientSession](), aiohttp.ClientSession

    def noted(**how: Any) -> aiohttp.ClientSession:
        sessions.append(make(**how))
        return sessions[-1]

    monkeypatch.setattr(aiohttp, "ClientSession", noted)
    launcher = Launcher(Settings.load(cli=[f"engine.url={fake.url}"]))
    await launcher.client()
    gone = asyncio.Event()
    launcher.on_change = lambda health: gone.set() if health is None else None
    fake.abort_connections()
    await gone.wait()
    asking = asyncio.create_task(launcher.client())
    for _ in range(turns):  # it lets the engine go, and attaches anew
        await asyncio.sleep(0)
    asking.cancel()
    await launcher.stop()
    await asyncio.wait({asking})
    assert all(session.closed for session in sessions)
