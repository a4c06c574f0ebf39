"""Finding, starting, losing and restarting the engine, with real processes."""

import asyncio
import os
import signal
import stat
from pathlib import Path

import psutil
import pytest

from opencoder_lsp.client.child import engine_command, engine_settings
from opencoder_lsp.client.engine import CompletionRequest, EngineClient, Health
from opencoder_lsp.client.launcher import Launcher, running_engine, socket_path, stop_engine
from opencoder_lsp.client.log_file import log_path
from opencoder_lsp.errors import EngineError, EngineUnavailableError, ModelError
from opencoder_lsp.paths import lock_path
from opencoder_lsp.settings import Settings
from tests.client.conftest import Engines

REQUEST = CompletionRequest(prompt=[1, 2, 3], max_tokens=16)


async def ask(client: EngineClient) -> str:
    async with client.complete(REQUEST) as stream:
        return "".join([piece async for piece in stream])


def until_gone(launcher: Launcher) -> asyncio.Event:
    """Return what is set when the launcher says that its engine has gone."""
    gone = asyncio.Event()

    def tell(health: Health | None) -> None:
        if health is None:
            gone.set()

    launcher.on_change = tell
    return gone


async def test_the_engine_is_started_once_and_answers(engines: Engines) -> None:
    launcher = engines.launcher()
    client = await launcher.client()
    assert await ask(client) == "fake .answer"
    assert await launcher.client() is client
    assert len(engines.started()) == 1


@pytest.mark.fault("F57")
async def test_twenty_fronts_that_start_at_once_share_one_engine(engines: Engines) -> None:
    launchers = [engines.launcher() for _ in range(20)]
    clients = await asyncio.gather(*(launcher.client() for launcher in launchers))
    assert len(engines.started()) == 1
    assert {(await client.health()).pid for client in clients} == set(engines.started())


async def test_many_requests_of_one_front_wait_for_the_same_engine(engines: Engines) -> None:
    launcher = engines.launcher()
    clients = await asyncio.gather(*(launcher.client() for _ in range(10)))
    assert len(set(map(id, clients))) == 1
    assert len(engines.started()) == 1


@pytest.mark.fault("F51")
async def test_loading_progress_is_reported_until_ready(engines: Engines) -> None:
    engines.wrong = ["--load", "3"]
    launcher = engines.launcher()
    for _ in range(2):  # a new engine tells everything anew
        told: list[Health] = []
        await launcher.client(told.append)
        assert [health.progress for health in told] == [0, 0.25, 0.5, 0.75, 1]
        assert [health.state for health in told] == ["loading"] * 4 + ["ready"]
        await launcher.restart()


@pytest.mark.fault("F56")
async def test_an_engine_killed_in_mid_stream_fails_the_request_and_the_next_one_works(
    engines: Engines,
) -> None:
    engines.wrong = ["--pause-after", "1"]
    launcher = engines.launcher()
    async with (await launcher.client()).complete(REQUEST) as stream:
        pieces = aiter(stream)
        assert await anext(pieces) == "fake "
        engines.wrong = []
        await engines.kill()
        with pytest.raises(EngineError, match="stopped in the middle of its answer"):
            await anext(pieces)
    assert await ask(await launcher.client()) == "fake .answer"
    assert len(engines.started()) == 2


async def test_an_engine_stopped_in_good_order_is_no_crash(engines: Engines) -> None:
    launcher = engines.launcher()
    for _ in range(4):
        gone = until_gone(launcher)
        await launcher.client()
        engine = running_engine(socket_path(launcher.model()))
        assert engine is not None
        await asyncio.to_thread(stop_engine, engine)
        await gone.wait()  # before that it is thought to be there
    assert await ask(await launcher.client()) == "fake .answer"


@pytest.mark.fault("F56")
async def test_three_crashes_end_the_trying_until_restart(engines: Engines) -> None:
    launcher = engines.launcher()
    for _ in range(3):
        client = await launcher.client()
        await engines.kill()
        with pytest.raises(EngineUnavailableError):
            await ask(client)
    with pytest.raises(EngineUnavailableError, match="failed 3 times") as stopped:
        await launcher.client()
    assert str(log_path(socket_path(launcher.model()))) in str(stopped.value)
    assert len(engines.started()) == 3
    await launcher.restart()
    assert await ask(await launcher.client()) == "fake .answer"


async def test_an_engine_that_another_front_restarts_is_used_by_those_that_gave_up(
    engines: Engines,
) -> None:
    one, other = engines.launcher(), engines.launcher()
    for _ in range(3):
        clients = [await one.client(), await other.client()]
        await engines.kill()
        for client in clients:
            with pytest.raises(EngineUnavailableError):
                await ask(client)
    for launcher in (one, other):
        with pytest.raises(EngineUnavailableError, match="failed 3 times"):
            await launcher.client()
    await one.restart()
    assert await ask(await one.client()) == "fake .answer"
    assert await ask(await other.client()) == "fake .answer"
    assert len(engines.started()) == 4


@pytest.mark.fault("F60")
async def test_an_engine_that_cannot_load_says_why(engines: Engines) -> None:
    engines.wrong = ["--load", "1", "--cause", "model.safetensors is damaged; run: pull"]
    with pytest.raises(EngineUnavailableError, match=r"^model.safetensors is damaged; run: pull$"):
        await engines.launcher().client()


@pytest.mark.fault("F60")
async def test_an_engine_that_cannot_load_is_not_started_for_ever(engines: Engines) -> None:
    engines.wrong = ["--load", "1", "--cause", "model.safetensors is damaged"]
    launcher = engines.launcher()
    for started in (1, 1, 2, 3):
        if started > len(engines.started()) > 0:
            await engines.kill()
        with pytest.raises(EngineUnavailableError, match=r"^model.safetensors is damaged$"):
            await launcher.client()
        assert len(engines.started()) == started
    with pytest.raises(EngineUnavailableError, match="the last time: model.safetensors is damaged"):
        await launcher.client()


async def test_an_engine_that_ends_at_once_is_reported_with_code_line_and_log(
    engines: Engines,
) -> None:
    engines.wrong = ["--exit", "7", "--say", "ImportError: no such thing"]
    launcher = engines.launcher()
    with pytest.raises(EngineUnavailableError) as error:
        await launcher.client()
    log = log_path(socket_path(launcher.model()))
    assert str(error.value) == (
        "the engine ended while it started (exit code 7): ImportError: no such thing; "
        f"its log is {log}"
    )
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.fault("F56")
async def test_an_engine_that_ends_while_loading_is_reported(engines: Engines) -> None:
    engines.wrong = ["--die-loading"]
    with pytest.raises(EngineUnavailableError, match="ended while it loaded the model; its log"):
        await engines.launcher().client()


@pytest.mark.fault("F56")
async def test_crashes_while_starting_count_too(engines: Engines) -> None:
    engines.wrong = ["--exit", "1"]
    launcher = engines.launcher()
    for _ in range(3):
        with pytest.raises(EngineUnavailableError, match="exit code 1"):
            await launcher.client()
    with pytest.raises(EngineUnavailableError, match="failed 3 times"):
        await launcher.client()
    assert len(engines.started()) == 3


@pytest.mark.fault("F58")
async def test_a_stale_socket_and_lock_file_are_no_obstacle(engines: Engines) -> None:
    launcher = engines.launcher()
    await launcher.client()
    socket = socket_path(launcher.model())
    await engines.kill()
    assert socket.is_socket()
    assert await ask(await engines.launcher().client()) == "fake .answer"


@pytest.mark.fault("F58")
async def test_a_half_written_lock_file_of_a_dead_engine_is_no_obstacle(engines: Engines) -> None:
    launcher = engines.launcher()
    lock_path(socket_path(launcher.model())).write_text('{"pid": 1, "sta')
    assert await ask(await launcher.client()) == "fake .answer"


@pytest.mark.fault("F54")
async def test_a_hung_engine_is_ended_and_replaced(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opencoder_lsp.client.starter.HUNG_PATIENCE", 0.2)
    await engines.launcher().client()
    (hung,) = engines.started()
    os.kill(hung, signal.SIGSTOP)
    client = await engines.launcher(word=0.2).client()
    assert (await client.health()).pid == engines.started()[1]
    assert not psutil.pid_exists(hung)


@pytest.mark.fault("F54")
async def test_a_request_to_an_engine_that_hangs_ends_with_its_lease(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its lease has nothing to tell, so that this is also how long its first piece may take.
    monkeypatch.setattr("opencoder_lsp.client.engine.LEASE_STALL", 5)
    engines.wrong = ["--pause-after", "1"]
    launcher = engines.launcher()
    async with (await launcher.client()).complete(REQUEST) as stream:
        pieces = aiter(stream)
        assert await anext(pieces) == "fake "
        os.kill(engines.started()[0], signal.SIGSTOP)
        with pytest.raises(EngineUnavailableError, match="the engine sent nothing for 5 s"):
            await anext(pieces)


@pytest.mark.fault("F54")
async def test_an_engine_that_hangs_in_use_is_given_one_chance_and_replaced(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opencoder_lsp.client.starter.HUNG_PATIENCE", 0.2)
    launcher = engines.launcher(word=1.0)
    with monkeypatch.context() as impatient:
        impatient.setattr("opencoder_lsp.client.engine.LEASE_STALL", 0.5)
        gone = until_gone(launcher)
        await launcher.client()
        (hung,) = engines.started()
        os.kill(hung, signal.SIGSTOP)
        await gone.wait()
    assert (await (await launcher.client()).health()).pid != hung
    assert not psutil.pid_exists(hung)


@pytest.mark.fault("F54")
async def test_an_engine_that_stands_still_while_it_loads_is_no_crash(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opencoder_lsp.client.engine.LEASE_STALL", 0.3)
    engines.wrong = ["--load", "1", "--stand-still"]
    launcher = engines.launcher()
    for _ in range(4):
        with pytest.raises(EngineUnavailableError, match="stands still while it loads the model"):
            await launcher.client()
    assert len(engines.started()) == 1


@pytest.mark.fault("F54")
async def test_an_engine_that_was_only_slow_is_kept_and_is_no_crash(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opencoder_lsp.client.engine.LEASE_STALL", 0.05)
    launcher = engines.launcher()
    for _ in range(5):
        gone, told = until_gone(launcher), list[Health]()
        await launcher.client(told.append)
        assert {health.pid for health in told} == {*engines.started()}
        await gone.wait()
    assert len(engines.started()) == 1


async def test_whoever_wants_to_know_is_told_of_each_health_and_of_the_end(
    engines: Engines,
) -> None:
    engines.wrong = ["--load", "2"]
    told, gone = list[str](), asyncio.Event()
    launcher = engines.launcher()

    def tell(health: Health | None) -> None:
        told.append(health.state if health else "gone")
        if health is None:
            gone.set()

    launcher.on_change = tell
    await launcher.client()
    await engines.kill()
    await gone.wait()
    assert told == ["loading", "loading", "loading", "ready", "gone"]
    assert launcher.health is None


async def test_a_front_that_leaves_is_not_told_that_the_engine_has_gone(engines: Engines) -> None:
    launcher = engines.launcher()
    await launcher.client()
    told = list[Health | None]()
    launcher.on_change = told.append
    await launcher.stop()
    assert told == []


@pytest.mark.fault("F54")
async def test_a_started_engine_that_never_answers_is_given_up(engines: Engines) -> None:
    engines.wrong = ["--mute"]
    with pytest.raises(EngineUnavailableError, match=r"did not answer within 0.5 s; its log"):
        await engines.launcher(word=0.1, start=0.5).client()


async def test_the_engine_outlives_the_front_that_started_it(engines: Engines) -> None:
    first, second = engines.launcher(), engines.launcher()
    await first.client()
    await first.stop()
    assert await ask(await second.client()) == "fake .answer"
    assert len(engines.started()) == 1


async def test_cancelling_a_waiting_request_does_not_cancel_the_start(engines: Engines) -> None:
    launcher = engines.launcher()
    waiting = asyncio.create_task(launcher.client())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await ask(await launcher.client()) == "fake .answer"
    assert len(engines.started()) == 1


async def test_stopping_while_the_engine_starts_tells_those_who_wait(engines: Engines) -> None:
    launcher = engines.launcher()
    waiting = asyncio.create_task(launcher.client())
    await asyncio.sleep(0)
    await launcher.stop()
    with pytest.raises(EngineUnavailableError, match="stopped waiting"):
        await waiting


async def test_restart_ends_the_engine_and_starts_another(engines: Engines) -> None:
    launcher = engines.launcher()
    before = (await (await launcher.client()).health()).pid
    await launcher.restart()
    after = (await (await launcher.client()).health()).pid
    assert before != after
    assert not psutil.pid_exists(before)


async def test_without_a_model_the_launcher_says_what_to_run() -> None:
    with pytest.raises(ModelError, match="models pull"):
        await Launcher(Settings()).client()


async def test_without_torch_the_launcher_says_what_to_install(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        EngineUnavailableError, match=r'checkout .* pip install "\.\[engine\]"; or set engine\.url'
    ):
        await Launcher(engines.settings()).client()


def test_the_engine_gets_all_its_settings_whatever_it_would_read_itself(engines: Engines) -> None:
    settings = engines.settings("engine.device=cpu", "engine.lookup=false", "chat.top_p=0.5")
    launcher = engines.launcher()
    command = engine_command(settings, launcher.model(), Path("/run/e.sock"))
    assert command[1:7] == [
        *("-m", "opencoder_lsp.engine", "--model", str(engines.model)),
        *("--socket", "/run/e.sock"),
    ]
    pairs = [pair.removeprefix("--set=") for pair in command[7:]]
    assert pairs == list(engine_settings(settings))
    other = {"OPENCODER_ENGINE_LOOKUP": "true", "OPENCODER_ENGINE_THREADS": "3"}
    assert Settings.load(env=other, cli=pairs).engine == settings.engine


@pytest.mark.fault("F58")
def test_the_socket_is_named_after_folder_and_version(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = engines.launcher().model()
    path = socket_path(model)
    assert len(os.fsencode(path.name)) <= 48
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    monkeypatch.setattr("opencoder_lsp.client.process.__version__", "99")
    assert socket_path(model) != path
