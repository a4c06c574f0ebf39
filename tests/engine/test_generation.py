"""The engine thread's loop, driven by hand: what each request hears, and that it ends once."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.engine.generation import Generation
from opencoder_lsp.engine.request import Event, Finish, OverdueError, Params, Request, State
from opencoder_lsp.engine.step import DeviceLostError, Outcome, Work
from opencoder_lsp.engine.text import TextStream
from opencoder_lsp.errors import EngineError
from tests.fakes.clock import Clock
from tests.fakes.runner import LETTERS, PREFIXES, FakeRunner


class Bench:
    """A generation over a fake runner, and the events of every request."""

    def __init__(
        self, runner: FakeRunner, context: int = 100, *, chunk: int = 8, lookup: bool = True
    ) -> None:
        self.totals: Counter[str] = Counter()
        self.ended = 0
        self.context = context
        self.clock = Clock()
        self.generation = Generation(
            runner, PREFIXES, chunk, self.totals, self._count, lookup=lookup, clock=self.clock
        )
        self.events: dict[Request, list[Event]] = {}

    def _count(self) -> None:
        self.ended += 1

    def add(self, prompt: str = "hello", params: Params | None = None) -> Request:
        events: list[Event] = []
        request = Request(
            f"r{len(self.events)}",
            list(prompt.encode()),
            params or Params(max_tokens=3),
            TextStream(LETTERS),
            events.append,
            self.context,
        )
        self.events[request] = events
        self.generation.add(request)
        return request

    def run(self) -> None:
        while not self.generation.idle:
            self.generation.step()

    def text(self, request: Request) -> str:
        return "".join(event for event in self.events[request] if isinstance(event, str))

    def end(self, request: Request) -> Event:
        """Return the last event, having checked that there is one end."""
        events = self.events[request]
        assert [isinstance(event, str) for event in events].count(False) == 1
        return events[-1]


@pytest.mark.fault("F55")
def test_an_answer_ends_with_length_at_max_tokens() -> None:
    bench = Bench(FakeRunner())
    one = bench.add()
    bench.run()
    assert bench.text(one) == "abc"
    assert bench.end(one) == Finish("length", 5, 3, 0)


def test_a_stop_id_ends_the_answer_and_gives_no_text() -> None:
    bench = Bench(FakeRunner())
    one = bench.add(params=Params(max_tokens=9, stop_ids=frozenset({ord("c")})))
    bench.run()
    assert bench.text(one) == "ab"
    assert bench.end(one) == Finish("stop", 5, 2, 0)


def test_a_stop_id_as_the_last_token_allowed_is_a_stop() -> None:
    bench = Bench(FakeRunner())
    one = bench.add(params=Params(max_tokens=3, stop_ids=frozenset({ord("c")})))
    bench.run()
    assert bench.end(one) == Finish("stop", 5, 2, 0)


@pytest.mark.fault("F44")
def test_an_answer_ends_with_length_where_the_context_ends() -> None:
    bench = Bench(FakeRunner(), context=7)
    one = bench.add(params=Params(max_tokens=50))
    bench.run()
    assert bench.end(one) == Finish("length", 5, 2, 0)


def test_warming_computes_the_prompt_and_generates_nothing() -> None:
    runner = FakeRunner()
    bench = Bench(runner)
    warm = bench.add(params=Params(max_tokens=0))
    bench.run()
    assert bench.end(warm) == Finish("length", 5, 0, 0)
    again = bench.add()
    bench.run()
    assert bench.end(again) == Finish("length", 5, 3, 4)
    everything = bench.add(params=Params(max_tokens=0))
    steps = len(runner.steps)
    bench.run()
    assert bench.end(everything) == Finish("length", 5, 0, 5)
    assert len(runner.steps) == steps


def test_an_answer_begins_with_its_forced_prefix() -> None:
    bench = Bench(FakeRunner())
    one = bench.add(params=Params(max_tokens=5, forced_prefix=b"xyz"))
    bench.run()
    assert bench.text(one) == "xyzde"


def test_a_forced_prefix_that_no_token_begins_fails_the_request() -> None:
    class Few(type(LETTERS)):  # type: ignore[misc]
        def token_bytes(self, id: int) -> bytes:
            return b"a"

    bench = Bench(FakeRunner())
    bench.generation._prefixes = type(PREFIXES)(Few(), 10)
    one = bench.add(params=Params(forced_prefix=b"b"))
    bench.run()
    assert isinstance(bench.end(one), EngineError)


def test_a_cancelled_request_gets_no_further_step_and_frees_its_slot() -> None:
    runner = FakeRunner(slots=1)
    bench = Bench(runner)
    one = bench.add(params=Params(max_tokens=50))
    bench.generation.step()
    one.cancelled = True
    bench.generation.step()
    assert len(runner.steps) == 1
    assert bench.generation.running == 0
    assert bench.end(one) == Finish("cancelled", 5, 1, 0)


def test_a_cancel_is_looked_at_between_the_chunks_of_a_prompt() -> None:
    runner = FakeRunner()
    bench = Bench(runner)
    one = bench.add("x" * 80)
    bench.generation.step()
    one.cancelled = True
    bench.run()
    assert runner.steps == [[("r0", 0, 8)]]
    assert bench.add("x" * 80).cached is None
    bench.generation.step()
    assert runner.steps[1] == [("r1", 8, 8)]  # what was computed is still there


def test_a_cancelled_request_that_waits_never_runs() -> None:
    runner = FakeRunner(slots=1)
    bench = Bench(runner)
    bench.add()
    bench.generation.step()
    waiting = bench.add()
    waiting.cancelled = True
    bench.run()
    assert {name for step in runner.steps for name, *_ in step} == {"r0"}


@pytest.mark.fault("F55")
def test_an_overdue_request_fails_and_its_rows_stay_for_the_next_one() -> None:
    runner = FakeRunner(slots=1)
    bench = Bench(runner)
    slow = bench.add("x" * 80)
    slow.deadline = bench.clock.now + 5
    bench.clock.now += 4.9
    bench.generation.step()
    bench.clock.now += 0.1
    bench.run()
    assert runner.steps == [[("r0", 0, 8)]]
    error = bench.end(slow)
    assert isinstance(error, OverdueError)
    assert "engine.request_seconds" in str(error)
    after = bench.add("x" * 20)
    bench.run()
    assert bench.end(after) == Finish("length", 20, 3, 8)


def test_a_request_that_waits_is_overdue_too_and_the_running_one_goes_on() -> None:
    bench = Bench(FakeRunner(slots=1))
    running = bench.add(params=Params(max_tokens=4))
    bench.generation.step()
    waiting = bench.add()
    waiting.deadline = bench.clock.now + 5
    bench.clock.now += 6
    bench.run()
    assert isinstance(bench.end(waiting), OverdueError)
    assert bench.text(running) == "abcd"


def test_a_request_that_has_gone_is_cancelled_however_late() -> None:
    bench = Bench(FakeRunner())
    gone = bench.add()
    gone.cancelled, gone.deadline = True, bench.clock.now - 1
    bench.run()
    assert bench.end(gone) == Finish("cancelled", 5, 0, 0)


@pytest.mark.fault("F54")
def test_a_failing_step_fails_its_requests_and_the_next_one_works() -> None:
    runner = FakeRunner()
    bench = Bench(runner)
    failing = bench.add()
    runner.fail = RuntimeError("secret of the user's")
    bench.run()
    error = bench.end(failing)
    assert isinstance(error, EngineError)
    assert str(error) == "generation failed: RuntimeError"
    after = bench.add()
    bench.run()
    assert bench.end(after) == Finish("length", 5, 3, 0)  # nothing of it was kept, either


@pytest.mark.fault("F53")
def test_a_failed_token_fails_only_the_request_it_belongs_to() -> None:
    def answer(work: Work) -> Outcome:
        return EngineError("NaN") if work.request.id == "r0" else ord("k")

    bench = Bench(FakeRunner(answer=answer))
    failing, fine = bench.add("abc"), bench.add("xyz")
    bench.run()
    assert str(bench.end(failing)) == "NaN"
    assert bench.text(fine) == "kkk"


def test_a_token_that_cannot_be_decoded_fails_only_its_request() -> None:
    class Strict(type(LETTERS)):  # type: ignore[misc]
        def decoder(self) -> "Strict":
            return self

        def push(self, id: int) -> str:
            raise KeyError(id)

    bench = Bench(FakeRunner())
    failing, fine = bench.add(), bench.add()
    failing.text = TextStream(Strict())
    bench.run()
    assert isinstance(bench.end(failing), EngineError)
    assert bench.text(fine) == "abc"


def test_a_lost_device_fails_everybody_and_is_said() -> None:
    runner = FakeRunner(slots=1)
    bench = Bench(runner)
    running, waiting = bench.add(), bench.add()
    runner.fail = DeviceLostError("the GPU failed")
    with pytest.raises(DeviceLostError):
        bench.run()
    assert isinstance(bench.end(running), DeviceLostError)
    assert isinstance(bench.end(waiting), DeviceLostError)


def test_totals_count_how_requests_ended() -> None:
    bench = Bench(FakeRunner())
    bench.add()
    bench.run()
    assert bench.totals["requests_length"] == 1
    assert bench.totals["completion_tokens"] == 3
    assert bench.totals["prompt_tokens"] == 5


ACTIONS = st.lists(
    st.sampled_from(["add", "long", "warm", "background", "late", "step", "cancel", "fail"]),
    max_size=40,
)


@given(ACTIONS, st.integers(1, 3))
@settings(deadline=None)
def test_every_request_ends_exactly_once_whatever_happens(actions: list[str], slots: int) -> None:
    runner = FakeRunner(slots)
    bench = Bench(runner)
    for n, action in enumerate(actions):
        if action == "add":
            bench.add("abcdefgh"[: n % 8 + 1])
        elif action == "long":
            bench.add("abcdefgh" * 5)
        elif action == "warm":
            bench.add("abcdefgh", Params(max_tokens=0))
        elif action == "background":
            bench.add("abcd", Params(max_tokens=20, priority=20))
        elif action == "late":
            bench.clock.now += 1
            bench.add("abcdefgh"[: n % 8 + 1]).deadline = bench.clock.now + n % 3
        elif action == "step":
            bench.generation.step()
        elif action == "cancel" and bench.events:
            list(bench.events)[n % len(bench.events)].cancelled = True
        elif action == "fail":
            runner.fail = RuntimeError()
    bench.run()
    for request in bench.events:
        bench.end(request)
        assert request.state is State.ENDED
    assert bench.ended == len(bench.events)
    assert bench.generation._scheduler._slots.free == slots
