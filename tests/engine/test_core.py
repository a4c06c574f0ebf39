"""The engine thread, and the way to it."""

import math
import queue
from typing import Any

import pytest

from opencoder_lsp.engine.core import Engine
from opencoder_lsp.engine.request import Event, Finish, Params
from opencoder_lsp.engine.status import Health, Status
from opencoder_lsp.engine.step import DeviceLostError
from opencoder_lsp.errors import EngineBusyError, EngineError, EngineUnavailableError
from tests.fakes.clock import Clock
from tests.fakes.runner import WAIT, FakeRunner, loaded


def make(runner: FakeRunner, queue_limit: int = 4, **limits: Any) -> tuple[Engine, Status]:
    """Make an engine whose model is loaded at once."""
    status = Status(Health("tiny", "/models/tiny", "0", 1))
    engine = Engine(lambda _report: loaded(runner), status, queue_limit=queue_limit, **limits)
    return engine, status


def started(runner: FakeRunner, queue_limit: int = 4, **limits: Any) -> Engine:
    """Start an engine and return it when it is ready."""
    engine, status = make(runner, queue_limit, **limits)
    ready = queue.SimpleQueue[None]()
    status._listeners.append(lambda: ready.put(None))
    engine.start()
    while status.health.state != "ready":
        ready.get(timeout=WAIT)
    return engine


@pytest.mark.fault("F51")
def test_nothing_is_taken_before_the_model_is_loaded() -> None:
    engine, _ = make(FakeRunner())
    with pytest.raises(EngineUnavailableError):
        engine.submit([1], Params(), lambda _: None)


def test_events_come_from_the_engine_thread_and_end_with_one_finish() -> None:
    events = queue.SimpleQueue[Event]()
    engine = started(FakeRunner())
    engine.submit([1, 2], Params(max_tokens=2), events.put)
    assert [events.get(timeout=WAIT) for _ in range(3)] == ["a", "b", Finish("length", 2, 2, 0)]
    assert engine.stop(WAIT)
    assert events.empty()


def test_requests_have_names_of_their_own() -> None:
    engine = started(FakeRunner())
    names = {engine.submit([1], Params(), lambda _: None).id for _ in range(3)}
    assert len(names) == 3
    assert engine.stop(WAIT)


@pytest.mark.fault("F50")
def test_no_more_may_wait_than_the_queue_holds() -> None:
    runner = FakeRunner(slots=2)
    engine = started(runner, queue_limit=1)
    runner.pause()
    for _ in range(3):
        engine.submit([1], Params(), lambda _: None)
    with pytest.raises(EngineBusyError):
        engine.submit([1], Params(), lambda _: None)
    runner.release()
    assert engine.stop(WAIT)


def test_a_request_may_take_as_long_as_the_setting_says_and_its_parts_no_longer() -> None:
    clock = Clock()
    engine = started(FakeRunner(), request_seconds=60, clock=clock)
    first = engine.submit([1], Params(), lambda _: None)
    clock.now += 50
    part = engine.submit([1], Params(), lambda _: None, first.deadline)
    assert (first.deadline, part.deadline) == (1060.0, 1060.0)
    assert engine.stop(WAIT)


def test_without_the_setting_a_request_is_never_overdue() -> None:
    engine = started(FakeRunner(), request_seconds=0)
    assert engine.submit([1], Params(), lambda _: None).deadline == math.inf
    assert engine.stop(WAIT)


def test_a_stop_ends_what_is_left_with_an_error() -> None:
    runner, events = FakeRunner(), queue.SimpleQueue[Event]()
    engine = started(runner)
    runner.pause()
    engine.submit([1, 2], Params(max_tokens=500), events.put)
    runner.wait_until_held()
    assert not engine.stop(0)
    runner.release()
    assert engine.stop(WAIT)
    *_, last = [events.get() for _ in range(events.qsize())]
    assert isinstance(last, EngineError)
    assert engine.unfinished == 0


@pytest.mark.fault("F53")
def test_who_came_during_the_step_that_lost_the_device_is_told_so_too() -> None:
    runner, events = FakeRunner(), queue.SimpleQueue[Event]()
    engine = started(runner)
    runner.pause()
    engine.submit([1, 2], Params(), events.put)
    runner.wait_until_held()
    engine.submit([3], Params(), events.put)
    runner.fail = DeviceLostError("the GPU failed")
    runner.release()
    for _ in range(2):
        assert isinstance(events.get(timeout=WAIT), DeviceLostError)
    assert engine.stop(WAIT)
    assert (engine.lost, engine.unfinished) == (True, 0)


def test_cancelling_what_has_ended_does_nothing() -> None:
    events = queue.SimpleQueue[Event]()
    engine = started(FakeRunner())
    request = engine.submit([1, 2], Params(max_tokens=1), events.put)
    assert [events.get(timeout=WAIT) for _ in range(2)][1] == Finish("length", 2, 1, 0)
    engine.cancel(request)
    engine.submit([3], Params(max_tokens=1), events.put)
    assert [events.get(timeout=WAIT) for _ in range(2)][1] == Finish("length", 1, 1, 0)
    assert engine.stop(WAIT)
    assert events.empty()
