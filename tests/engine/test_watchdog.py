"""A step of the model that does not come back, and what becomes of everybody who waits for it."""

import asyncio
import logging
import queue
from collections.abc import Iterator

import pytest

from opencoder_lsp.engine import server
from opencoder_lsp.engine.core import Engine, Loaded, Report
from opencoder_lsp.engine.request import Finish, Params
from opencoder_lsp.engine.status import Health, Status
from opencoder_lsp.engine.stream import Stream
from opencoder_lsp.engine.watchdog import StuckError, until_stuck
from tests.engine.conftest import Serve, events, in_thread
from tests.fakes.runner import WAIT, FakeRunner, loaded

SOON = 0.04  # seconds that a step may take where it is stuck anyway


async def looks_until_stuck(steps: Iterator[int | None]) -> int:
    """Return at which look the watchdog has seen enough."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await until_stuck(lambda: next(steps), 60, sleep)
    assert set(slept) == {15.0}
    return len(slept)


async def test_a_step_that_is_there_at_five_looks_is_stuck() -> None:
    assert await looks_until_stuck(iter([7, 7, 7, 7, 7])) == 5


async def test_steps_that_come_and_go_are_not_stuck_and_neither_is_rest() -> None:
    steps = [1, 1, 1, 1, 2, 2, 2, 2, None, 2, 2, None, None, None, None, None, 9, 9, 9, 9, 9, 9]
    assert await looks_until_stuck(iter(steps)) == steps.index(9) + 5


@pytest.mark.fault("F54")
async def test_a_stuck_step_ends_every_answer_with_one_error_and_the_engine(
    served: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    runner = FakeRunner(slots=2)
    async with served(runner, step_seconds=SOON) as engine:
        async with engine.session.get("http://engine/events") as lease:
            runner.pause()
            async with engine.post(stream=True) as response:
                # Should it be stuck before these two are there, they are told the same.
                asked = [asyncio.create_task(engine.refused(n=n)) for n in (1, 3)]
                [error] = [event async for event in events(response)]
            assert error["error"]["code"] == "model_error"
            assert "engine.step_seconds" in error["error"]["message"]
            for task in asked:
                assert await task == (503, error["error"])
            *_, health = [health async for health in events(lease)]
            assert (health["state"], health["cause"]) == ("error", error["error"]["message"])
        async with asyncio.timeout(WAIT):
            await engine.task
        assert engine.engine.lost
        assert not engine.engine.stop(0)  # it is in its step still, and the process ends without it
    [critical] = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "engine.step_seconds" in critical.message


async def test_tokens_said_before_the_step_got_stuck_are_not_lost(
    served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, seen = FakeRunner(), asyncio.Event()
    # Not by the clock, on which the first step could be slow, too.
    monkeypatch.setattr(server, "until_stuck", lambda *_: seen.wait())
    async with served(runner, step_seconds=SOON) as engine:
        runner.pause()
        async with engine.post(stream=True, max_tokens=9) as response:
            runner.release(1)
            await in_thread(runner.wait_for_steps, 1)
            await in_thread(runner.wait_until_held)  # in front of the second
            seen.set()
            first, error = [event async for event in events(response)]
    assert first["choices"][0]["text"] == "a"
    assert error["error"]["code"] == "model_error"


def test_loading_and_warming_up_are_no_step() -> None:
    seen = queue.SimpleQueue[int | None]()

    def load(report: Report) -> Loaded:
        report(0.5)
        seen.put(engine.step_in_flight)
        return loaded(FakeRunner())

    engine = Engine(load, Status(Health("tiny", "/models/tiny", "0", 1)), queue_limit=4)
    engine.start()
    assert seen.get(timeout=WAIT) is None
    assert engine.stop(WAIT)


def started(runner: FakeRunner) -> Engine:
    """Return an engine that is being started."""
    status = Status(Health("tiny", "/models/tiny", "0", 1))
    engine = Engine(lambda _report: loaded(runner), status, queue_limit=4)
    engine.start()
    return engine


async def ready(engine: Engine) -> None:
    """Return when it has loaded its model."""
    async with asyncio.timeout(WAIT), engine._status.watch() as changed:
        while engine._status.health.state != "ready":
            await changed.wait()
            changed.clear()


@pytest.mark.parametrize("choices", [1, 3])
async def test_a_step_that_comes_back_too_late_says_nothing_more(choices: int) -> None:
    runner = FakeRunner()
    engine = started(runner)
    await ready(engine)
    runner.pause()
    stream = Stream(engine, [1, 2], Params(max_tokens=3), choices)
    await in_thread(runner.wait_until_held)
    error = StuckError("stuck")
    engine.give_up(error)
    stream.fail(error)
    stream.fail(error)
    runner.release()
    assert await asyncio.to_thread(engine.stop, WAIT)  # all that it had to say is on its way
    with pytest.raises(StuckError) as caught:
        await anext(aiter(stream))
    assert caught.value is error
    assert [piece async for piece in stream] == []
    assert engine.unfinished == 0


async def test_an_answer_that_has_ended_is_not_failed_any_more() -> None:
    engine = started(FakeRunner())
    await ready(engine)
    stream = Stream(engine, [1, 2], Params(max_tokens=3))
    pieces = [piece async for piece in stream]
    stream.fail(StuckError("stuck"))
    assert [piece async for piece in stream] == []
    assert pieces[-1].reason == "length"
    assert stream.finishes == [Finish("length", 2, 3, 0)]
    assert await asyncio.to_thread(engine.stop, WAIT)
