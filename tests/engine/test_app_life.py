"""What the engine says of itself over HTTP, from loading to its end."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from opencoder_lsp.engine import lifetime
from opencoder_lsp.engine.core import Engine, Loaded, Report
from opencoder_lsp.engine.lifetime import bound_socket
from opencoder_lsp.engine.server import serve
from opencoder_lsp.engine.status import Health, Status
from opencoder_lsp.engine.step import DeviceLostError
from opencoder_lsp.errors import ModelError
from tests.engine.conftest import Serve, events, in_thread
from tests.fakes.runner import WAIT, FakeRunner, loaded


@pytest.mark.fault("F51")
async def test_health_answers_while_the_model_loads(served: Serve) -> None:
    go = threading.Event()

    def load(report: Report) -> Loaded:
        report(0.25)
        assert go.wait(WAIT)
        return loaded(FakeRunner())

    async with served(load=load, wait="loading") as engine:
        async with engine.session.get("http://engine/events") as response:
            stream = events(response)
            async for health in stream:
                if health["progress"] == 0.25:
                    break
            assert (await engine.get("/health"))["state"] == "loading"
            async with engine.post() as refused:
                assert refused.status == 503
                assert refused.headers["retry-after"]
                assert (await refused.json())["error"]["code"] == "loading"
            go.set()
            async for health in stream:
                if health["state"] == "ready":
                    break
            assert health["context_length"] == 1000
            assert health["prompt_tokens_auto"] == 256
        await engine.ask()


@pytest.mark.fault("F60")
async def test_a_model_that_cannot_be_loaded_is_told_and_its_cure(
    served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifetime, "_ERROR_SECONDS", WAIT)

    def load(_report: Report) -> Loaded:
        raise ModelError("model.safetensors is missing; run: opencoder-lsp models pull tiny")

    async with served(load=load, wait="error") as engine:
        health = await engine.get("/health")
        assert (health["state"], health["running"]) == ("error", 0)
        assert "models pull tiny" in health["cause"]
        status, error = await engine.refused()
        assert (status, error["code"]) == (503, "model_error")
        assert "models pull tiny" in error["message"]


@pytest.mark.fault("F60")
async def test_an_unforeseen_fault_while_loading_is_told_too(
    served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifetime, "_ERROR_SECONDS", WAIT)

    def load(_report: Report) -> Loaded:
        raise ZeroDivisionError("oh")

    async with served(load=load, wait="error") as engine:
        assert (await engine.get("/health"))["cause"] == "ZeroDivisionError: oh"


async def test_health_counts_who_runs_and_who_waits(served: Serve) -> None:
    runner = FakeRunner(slots=1)
    async with served(runner) as engine:
        runner.pause()
        tasks = [asyncio.create_task(engine.ask()) for _ in range(3)]
        await engine.until_unfinished(3)
        await in_thread(runner.wait_until_held)
        health = await engine.get("/health")
        assert (health["running"], health["waiting"]) == (1, 2)
        runner.release()
        await asyncio.gather(*tasks)


async def test_models_names_the_one_that_runs(served: Serve) -> None:
    async with served() as engine:
        [model] = (await engine.get("/v1/models"))["data"]
        assert model["id"] == "tiny"
        await engine.ask(model="Tiny")
        assert await engine.refused(model="gpt-4") == (
            404,
            {
                "message": "the model asked for is not here; this engine runs tiny",
                "type": "invalid_request_error",
                "code": "model_not_found",
                "param": "model",
            },
        )


@pytest.mark.fault("F53")
async def test_a_lost_device_ends_the_engine_after_telling_everybody(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        runner.fail = DeviceLostError("the GPU failed: device-side assert")
        status, error = await engine.refused()
        assert status == 500
        assert "GPU" in error["message"]
        async with asyncio.timeout(WAIT):
            await engine.task
        assert engine.engine.lost


async def test_the_engine_ends_when_the_last_lease_is_gone(served: Serve) -> None:
    async with served(linger=0.05) as engine:
        async with engine.session.get("http://engine/events") as response:
            assert (await anext(events(response)))["state"] == "ready"
            done, _ = await asyncio.wait({engine.task}, timeout=0.3)
            assert not done
        async with asyncio.timeout(WAIT):
            await engine.task


async def test_an_engine_that_nobody_comes_for_ends(socket_path: Path) -> None:
    status = Status(Health("tiny", "/models/tiny", "0", os.getpid()))
    engine = Engine(lambda _report: loaded(FakeRunner()), status, queue_limit=8)
    with bound_socket(socket_path) as listener:
        async with asyncio.timeout(WAIT):
            await serve(listener, engine, status, linger=0, first=0.05)
    assert await asyncio.to_thread(engine.stop, WAIT)


async def test_an_engine_at_work_does_not_end(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner, linger=0.05) as engine:
        runner.pause()
        task = asyncio.create_task(engine.ask())
        await in_thread(runner.wait_until_held)
        done, _ = await asyncio.wait({engine.task}, timeout=0.3)
        assert not done
        runner.release()
        await task
        async with asyncio.timeout(WAIT):
            await engine.task


@pytest.mark.fault("F51")
async def test_a_drain_lets_running_requests_end_and_refuses_new_ones(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner, drain_seconds=WAIT) as engine:
        runner.pause()
        async with engine.post(stream=True, max_tokens=5) as response:
            stream = events(response)
            runner.release(1)
            await anext(stream)
            os.kill(os.getpid(), signal.SIGTERM)
            await engine.until("draining")
            status, error = await engine.refused()
            assert (status, error["code"]) == (503, "draining")
            runner.release()
            assert [event async for event in stream][-1] == "[DONE]"
        async with asyncio.timeout(WAIT):
            await engine.task


@pytest.mark.fault("F51")
async def test_a_drain_does_not_wait_for_ever_and_says_why_it_cut_an_answer(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner, drain_seconds=0.05) as engine:
        runner.pause()
        async with engine.post(stream=True, max_tokens=500) as response:
            stream = events(response)
            runner.release(1)
            await anext(stream)
            os.kill(os.getpid(), signal.SIGTERM)
            await engine.cancelled.wait()
            runner.release()
            assert [event async for event in stream][-1]["error"]["code"] == "draining"
        async with asyncio.timeout(WAIT):
            await engine.task


async def test_events_end_when_the_engine_ends(served: Serve) -> None:
    async with served() as engine, engine.session.get("http://engine/events") as response:
        stream = events(response)
        await anext(stream)
        engine.task.cancel()
        assert [event async for event in stream] == []
