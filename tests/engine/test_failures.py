"""Steps that run out of memory, and numbers that are no numbers: who fails of those in a step."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.engine.request import Event, Finish, Params, Request
from opencoder_lsp.engine.step import OutOfMemoryError
from opencoder_lsp.errors import EngineError
from tests.engine.conftest import Serve
from tests.engine.test_generation import Bench
from tests.engine.test_lookup_steps import LOOP, Reciter
from tests.engine.test_runner import PROMPTS, VOCABULARY, ask, generation, make_runner, output, run
from tests.fakes.checkpoints import make_model
from tests.fakes.runner import FakeRunner


def test_a_step_that_does_not_fit_is_done_in_halves() -> None:
    runner = FakeRunner()
    runner.memory = 4
    bench = Bench(runner)
    one = bench.add("abcdefghijk", Params(max_tokens=2))
    bench.run()
    assert bench.text(one) == "ab"
    assert [step[0][1:] for step in runner.steps] == [
        *[(0, 8), (0, 4)],
        *[(4, 7), (4, 3)],
        *[(7, 4), (11, 1)],
    ]
    assert bench.totals["requests_failed"] == 0


def test_a_step_that_does_not_fit_is_done_without_its_draft() -> None:
    runner = FakeRunner(answer=Reciter(LOOP))
    bench = Bench(runner)
    one = bench.add(LOOP, Params(max_tokens=30))
    while not one.output_tokens:
        bench.generation.step()
    runner.memory = 1
    bench.run()
    assert bench.text(one) == LOOP * 3
    tried = [n for n, draft in enumerate(runner.drafts) if draft]
    assert tried
    assert all(not runner.drafts[n + 1] for n in tried)
    assert bench.totals["accepted_tokens"] == 0


@pytest.mark.fault("F52")
def test_only_the_largest_of_a_step_that_does_not_fit_fails() -> None:
    runner = FakeRunner()
    bench = Bench(runner)
    short = [bench.add("abc", Params(max_tokens=9)) for _ in range(2)]
    bench.generation.step()
    runner.memory = 3
    long = bench.add("x" * 20)
    bench.run()
    assert [bench.text(request) for request in short] == ["abcdefghi"] * 2
    error = bench.end(long)
    assert isinstance(error, OutOfMemoryError)
    for cure in ("shorten", "engine.slots", "engine.context"):
        assert cure in str(error)
    assert bench.totals["requests_failed"] == 1


def test_of_requests_that_decode_the_one_with_the_most_rows_fails() -> None:
    runner = FakeRunner()
    bench = Bench(runner)
    few, many = bench.add("abc", Params(max_tokens=9)), bench.add("abcd", Params(max_tokens=9))
    bench.generation.step()
    runner.memory = 1
    bench.run()
    assert bench.text(few) == "abcdefghi"
    assert isinstance(bench.end(many), OutOfMemoryError)


def test_what_failed_for_memory_is_not_reused_and_what_was_tried_in_vain_is_computed() -> None:
    runner = FakeRunner(slots=1)
    bench = Bench(runner)
    first = bench.add("x" * 30)
    bench.generation.step()
    runner.memory = 1
    bench.run()
    assert isinstance(bench.end(first), OutOfMemoryError)
    runner.memory = None
    again = bench.add("x" * 30)
    bench.run()
    assert bench.end(again) == Finish("length", 30, 3, 0)


@pytest.mark.fault("F52")
def test_memory_that_is_back_at_the_second_try_is_no_failure() -> None:
    runner = FakeRunner()
    bench = Bench(runner)
    one = bench.add("abc")
    runner.fail = OutOfMemoryError("somebody else had it")
    bench.run()
    assert bench.text(one) == "abc"


def test_a_failure_of_another_kind_at_the_second_try_fails_the_step() -> None:
    runner = FakeRunner()
    bench = Bench(runner)
    one, two = bench.add("abc"), bench.add("abcd")
    attempts = iter([OutOfMemoryError("no"), RuntimeError("secret of the user's")])
    runner.answer = lambda _: (_ for _ in ()).throw(next(attempts))
    bench.run()
    assert {str(bench.end(request)) for request in (one, two)} == {
        "generation failed: RuntimeError"
    }


REQUESTS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=8
)


@given(REQUESTS, st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, 3))
@settings(deadline=None)
def test_however_memory_comes_and_goes_each_request_ends_once_and_says_what_it_should(
    asked: list[tuple[int, int, int]], memory: list[int], slots: int
) -> None:
    runner = FakeRunner(slots)
    bench = Bench(runner)
    for length, new, pause in asked:
        bench.add("abcdefgh"[: length % 8] + "x" * length, Params(max_tokens=new))
        for _ in range(pause):
            runner.memory = memory[len(runner.steps) % len(memory)]
            bench.generation.step()
    while not bench.generation.idle:
        runner.memory = memory[len(runner.steps) % len(memory)]
        bench.generation.step()
    for request in bench.events:
        end = bench.end(request)
        expected = "abcdef"[: request.params.max_tokens]
        if isinstance(end, OutOfMemoryError):
            assert expected.startswith(bench.text(request))
        else:
            assert bench.text(request) == expected
    assert bench.generation._scheduler._slots.free == slots


@pytest.mark.fault("F52")
async def test_out_of_memory_is_told_by_its_name_and_the_next_request_works(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner) as engine:
        runner.memory = 3
        status, error = await engine.refused(prompt=[1] * 64)
        assert (status, error["code"], error["type"]) == (500, "out_of_memory", "server_error")
        assert "engine.context" in error["message"]
        await engine.ask(prompt=[1, 2, 3])


@pytest.mark.fault("F53")
def test_numbers_that_are_not_finite_fail_their_own_request_and_leave_nothing_behind() -> None:
    model = make_model("llama", vocab_size=VOCABULARY, tie_word_embeddings=False)
    runner = make_runner(model)
    plain = [ask(prompt) for prompt in PROMPTS]
    run(generation(runner), *plain)
    seen = {id for request in plain for id in request.ids}
    poison = next(id for id in range(VOCABULARY) if id not in seen)
    model.get_input_embeddings().weight.data[poison] = float("nan")
    steps, events = generation(runner), list[Event]()
    healthy: list[Request] = [ask(prompt) for prompt in PROMPTS[:3]]
    poisoned = ask([*PROMPTS[3][:4], poison, *PROMPTS[3][4:]], events.append)
    run(steps, healthy[0], poisoned, *healthy[1:])
    [error] = events
    assert isinstance(error, EngineError)
    assert "not finite" in str(error)
    # As many as there are slots, so that one of them gets the rows of the one that failed.
    later = [ask(PROMPTS[n % 4]) for n in range(runner.slots)]
    run(steps, *later)
    for n, request in enumerate((*healthy, *later)):
        expected = plain[n] if n < 3 else plain[(n - 3) % 4]
        assert output(request) == output(expected)
