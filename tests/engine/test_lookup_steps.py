"""Lookup in the engine's steps: the output of plain greedy decoding, in fewer of them."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.engine.generation import Generation
from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.request import Finish, Params, Request, State
from opencoder_lsp.engine.runner import TorchRunner
from opencoder_lsp.engine.step import Outcome, Work
from opencoder_lsp.errors import EngineError
from tests.engine.conftest import Serve
from tests.engine.test_generation import Bench
from tests.engine.test_runner import ARCHITECTURES, VOCABULARY, ask, make_runner, output, peer
from tests.fakes.checkpoints import Architecture, make_model
from tests.fakes.runner import LETTERS, FakeRunner

LOOP = "def f(x):\n"
NEW = 40


class Reciter:
    """Says a text, whatever was asked; a draft is right as far as it says the same."""

    def __init__(self, text: str, broken: int | None = None) -> None:
        """The numbers behind the token `broken` are not finite."""
        self._text, self._broken = text, broken

    def __call__(self, work: Work) -> Outcome:
        done = work.request.output_tokens
        if done == self._broken:
            return EngineError("NaN")
        return ord(self._text[done % len(self._text)])


def recite(text: str, prompt: str = LOOP, *, lookup: bool = True, **params: object) -> Bench:
    """Run one request to its end."""
    bench = Bench(FakeRunner(answer=Reciter(text)), lookup=lookup)
    bench.add(prompt, Params(**({"max_tokens": NEW} | params)))  # type: ignore[arg-type]
    bench.run()
    return bench


def runner_of(bench: Bench) -> FakeRunner:
    runner = bench.generation._runner
    assert isinstance(runner, FakeRunner)
    return runner


def test_a_repeated_text_takes_a_few_steps() -> None:
    bench = recite(LOOP)
    [request] = bench.events
    assert bench.text(request) == LOOP * 4
    assert bench.totals["completion_tokens"] == NEW
    assert bench.totals["steps"] <= 8
    # Every token came as an accepted guess or as the one that each step gives anyway.
    prefill = 1  # the step that computes the first chunk of the prompt and gives no token
    assert bench.totals["accepted_tokens"] == NEW - (bench.totals["steps"] - prefill)
    assert bench.totals["drafted_tokens"] >= bench.totals["accepted_tokens"]


def test_the_step_that_ends_the_prompt_drafts_already() -> None:
    runner = FakeRunner(answer=Reciter(LOOP))
    bench = Bench(runner)
    one = bench.add(LOOP * 2, Params(max_tokens=5))
    bench.run()
    assert bench.text(one) == LOOP[:5]
    # 20 tokens in chunks of 8: nothing is drafted before the last of them is known.
    assert [[count for _, _, count in step] for step in runner.steps] == [[8], [8], [4]]
    assert runner.drafts == [(), (), tuple(LOOP[:4].encode())]
    assert bench.totals["accepted_tokens"] == 4


def test_where_one_token_is_wanted_none_is_drafted() -> None:
    runner = FakeRunner(answer=Reciter(LOOP))
    bench = Bench(runner)
    bench.add(LOOP * 2, Params(max_tokens=1))
    bench.add(LOOP * 2, Params(max_tokens=0))
    bench.run()
    assert not any(runner.drafts)


def test_wrong_guesses_cost_a_draft_and_change_nothing() -> None:
    bench = recite("dxeyfz(")
    [request] = bench.events
    assert bench.text(request) == ("dxeyfz(" * 6)[:NEW]
    assert bench.totals["drafted_tokens"] > bench.totals["accepted_tokens"]


def test_nothing_is_drafted_where_the_setting_is_off() -> None:
    bench = recite(LOOP, lookup=False)
    assert not any(runner_of(bench).drafts)
    assert bench.totals["steps"] == NEW + 1


def test_a_sampled_request_drafts_nothing() -> None:
    assert not any(runner_of(recite(LOOP, temperature=0.5)).drafts)


def test_nothing_is_drafted_while_the_forced_prefix_is_due() -> None:
    prefix = (LOOP * 2).encode()
    bench = Bench(FakeRunner())
    one = bench.add(LOOP * 3, Params(max_tokens=len(prefix), forced_prefix=prefix))
    bench.run()
    assert bench.text(one) == LOOP * 2
    assert not any(runner_of(bench).drafts)


def test_nothing_is_drafted_in_a_step_that_somebody_else_is_in() -> None:
    runner = FakeRunner(answer=Reciter(LOOP))
    bench = Bench(runner)
    bench.add(LOOP, Params(max_tokens=12))
    other = bench.add("x" * 40, Params(max_tokens=30))
    bench.run()
    assert bench.text(other) == LOOP * 3
    for step, drafted in zip(runner.steps, runner.drafts, strict=True):
        assert not (drafted and len(step) > 1)
    assert any(runner.drafts)  # as soon as one of them is alone


def test_a_stop_id_in_an_accepted_run_ends_the_answer_there() -> None:
    # The prompt goes on with ";" where the answer stops, and the other way round.
    bench = recite("abcdefgh;ab", "abcdefgh.abcdefgh.", stop_ids=frozenset({ord(";")}))
    [request] = bench.events
    assert bench.text(request) == "abcdefgh"
    assert bench.end(request) == Finish("stop", 18, 8, 0)
    bench = recite("abcdefgh;ab", "abcdefgh;abcdefgh;", stop_ids=frozenset({ord(";")}))
    [request] = bench.events
    assert bench.end(request) == Finish("stop", 18, 8, 0)


@pytest.mark.parametrize("behind", [False, True])
def test_nan_fails_the_request_where_it_is_reached_and_not_behind_a_wrong_guess(
    behind: bool,
) -> None:
    said = LOOP[:6] + ("~" if behind else LOOP[6])
    bench = Bench(FakeRunner(answer=Reciter(said + LOOP * 4, broken=None if behind else 7)))
    one = bench.add(LOOP * 2, Params(max_tokens=12))
    bench.run()
    if behind:
        assert bench.end(one) == Finish("length", 20, 12, 0)
    else:
        assert bench.text(one) == said
        assert str(bench.end(one)) == "NaN"
        assert bench.totals["accepted_tokens"] > 0


TEXT = st.text("ab;", min_size=1, max_size=12)


@given(TEXT, TEXT, st.integers(1, 60), st.integers(0, 60), st.sampled_from([b"", b";"]))
@settings(deadline=None)
def test_every_number_is_that_of_plain_decoding(
    prompt: str, text: str, most: int, room: int, stops: bytes
) -> None:
    ends = []
    for lookup in (False, True):
        runner = FakeRunner(1, answer=Reciter(text))
        bench = Bench(runner, context=len(prompt) + 1 + room, lookup=lookup)
        one = bench.add(prompt, Params(max_tokens=most, stop_ids=frozenset(stops)))
        bench.run()
        for step, drafted in zip(runner.steps, runner.drafts, strict=True):
            assert all(start + count + len(drafted) <= bench.context for _, start, count in step)
        # Whoever comes with the same tokens finds as many rows, those of right tokens only.
        again = bench.add(bytes(one.ids).decode(), Params(max_tokens=0))
        bench.run()
        ends.append((bench.text(one), bench.end(one), bench.end(again)))
    assert ends[0] == ends[1]


def test_a_cancel_is_heeded_after_the_step_in_flight() -> None:
    bench = Bench(FakeRunner(answer=Reciter(LOOP)))
    one = bench.add(LOOP * 2, Params(max_tokens=NEW))
    while not any(runner_of(bench).drafts):
        bench.generation.step()
    steps = bench.totals["steps"]
    one.cancelled = True
    bench.run()
    assert bench.totals["steps"] == steps
    end = bench.end(one)
    assert isinstance(end, Finish)
    assert end.reason == "cancelled"


async def test_metrics_say_how_many_guesses_were_right(served: Serve) -> None:
    async with served(FakeRunner(answer=Reciter(LOOP))) as engine:
        await engine.ask(prompt=list(LOOP.encode()), max_tokens=NEW)
        async with engine.session.get("http://engine/metrics") as response:
            lines = (await response.text()).splitlines()
    drafted = engine.status.totals["drafted_tokens"]
    accepted = engine.status.totals["accepted_tokens"]
    assert drafted >= accepted > 0
    assert f"opencoder_engine_drafted_tokens_total {drafted:.1f}" in lines
    assert f"opencoder_engine_accepted_tokens_total {accepted:.1f}" in lines


def real(runner: TorchRunner, chunk: int = 16) -> tuple[Generation, Counter[str]]:
    totals = Counter[str]()
    return Generation(runner, PrefixIndex(LETTERS, VOCABULARY), chunk, totals, lambda: None), totals


def finish(steps: Generation) -> None:
    while not steps.idle:
        steps.step()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_draft_is_answered_position_by_position(architecture: Architecture) -> None:
    one = peer(architecture)
    prompt = [5, 6, 7, 8]
    right = one.expected(prompt)
    request = ask(prompt)
    request.slot = 0
    wrong = (right[2] + 1) % VOCABULARY
    one.runner.step([Work(request, 0, 3, sample=False)])
    draft = (right[0], right[1], wrong)
    [outcome] = one.runner.step([Work(request, 3, 1, sample=True, draft=draft)])
    assert isinstance(outcome, list)
    assert outcome[:3] == right[:3]
    assert len(outcome) == 4
    # The rows of the wrong guess are written over by the right token's.
    request.ids += right[:3]
    [follows] = one.runner.step([Work(request, 6, 1, sample=True)])
    assert follows == right[3]


def test_nan_is_seen_at_each_position_of_a_draft() -> None:
    model = make_model("llama", vocab_size=VOCABULARY)
    runner = make_runner(model)
    request = ask([5, 6, 7])
    request.slot = 0

    def poison(_module: object, _inputs: object, logits: object) -> object:
        logits[0, 1, 4] = float("nan")  # type: ignore[index]
        return logits

    with model.lm_head.register_forward_hook(poison):
        [outcome] = runner.step([Work(request, 0, 3, sample=True, draft=(8, 9))])
    assert isinstance(outcome, list)
    assert [isinstance(token, EngineError) for token in outcome] == [False, True, False]


CYCLES = ([5, 6, 7, 8, 9, 10], [30, 40, 50], [77], list(range(100, 140)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_guesses_are_accepted_and_the_tokens_are_those_of_generate(
    architecture: Architecture,
) -> None:
    one = peer(architecture)
    accepted = 0
    for cycle in CYCLES:
        prompt = (cycle * 60)[:60]
        steps, totals = real(one.runner)
        request = ask(prompt, max_tokens=NEW)
        steps.add(request)
        finish(steps)
        assert output(request) == one.expected(prompt, NEW)
        accepted += totals["accepted_tokens"]
    assert accepted > 20


ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from(range(len(CYCLES))),
        st.integers(1, 60),  # tokens of the prompt
        st.integers(0, 20),  # steps until the next one arrives
        st.sampled_from([0, 3, NEW]),  # tokens wanted
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@given(ARRIVALS, st.integers(1, 20), st.sets(st.integers(0, 4)))
@settings(deadline=None, max_examples=15)
def test_whoever_comes_and_goes_the_tokens_are_those_of_generate(
    architecture: Architecture,
    arrivals: list[tuple[int, int, int, int]],
    chunk: int,
    cancelled: set[int],
) -> None:
    one = peer(architecture)
    steps, _ = real(one.runner, chunk)
    requests: list[Request] = []
    for number, (cycle, length, pause, most) in enumerate(arrivals):
        requests.append(ask((CYCLES[cycle] * 60)[:length], max_tokens=most))
        steps.add(requests[-1])
        for _ in range(pause):
            steps.step()
        requests[-1].cancelled = number in cancelled and requests[-1].state is not State.ENDED
    finish(steps)
    for request in requests:
        expected = one.expected(request.ids[: request.prompt_tokens], NEW)
        assert output(request) == expected[: request.output_tokens]
        assert request.cancelled or request.output_tokens == request.params.max_tokens


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_rows_behind_accepted_guesses_serve_the_next_request(
    architecture: Architecture,
) -> None:
    one = peer(architecture)
    prompt = (CYCLES[0] * 60)[:50]
    steps, _ = real(one.runner)
    first = ask(prompt, max_tokens=NEW)
    steps.add(first)
    finish(steps)
    for cut in (NEW, NEW - 7, 11):
        longer = first.ids[: len(prompt) + cut]
        request = ask(longer)
        steps.add(request)
        finish(steps)
        assert request.cached == len(longer) - 1
        assert output(request) == one.expected(longer)
