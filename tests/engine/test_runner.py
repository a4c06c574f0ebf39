"""The runner against transformers' own `generate`: the same greedy tokens, however computed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.engine import attention, fusing
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.generation import Generation
from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.request import Event, Finish, Params, Request, Scored
from opencoder_lsp.engine.runner import TorchRunner
from opencoder_lsp.engine.sampling import Sampler
from opencoder_lsp.engine.step import DeviceLostError, OutOfMemoryError, Work
from opencoder_lsp.engine.text import TextStream
from opencoder_lsp.errors import EngineError
from tests.fakes.checkpoints import CONTEXT, Architecture, make_model
from tests.fakes.runner import LETTERS

VOCABULARY = 260
NEW = 10
ARCHITECTURES: tuple[Architecture, ...] = ("gpt_bigcode", "llama")


def make_runner(model: Any, *, fused: bool = True) -> TorchRunner:
    """Make a runner around a model in memory, as `loading.load` does around one on disk."""
    attention.register()
    model.set_attn_implementation(attention.NAME)
    if fused:
        fusing.fuse(model)
    prefixes = PrefixIndex(LETTERS, VOCABULARY)
    memory = SlotMemory.for_model(model, CONTEXT)
    return TorchRunner(model, memory, Sampler(prefixes, torch.device("cpu")), VOCABULARY)


class Peer:
    """A tiny model under our runner, and what `generate` says to a prompt."""

    def __init__(self, architecture: Architecture, *, fused: bool = True, **changes: Any) -> None:
        model = make_model(architecture, vocab_size=VOCABULARY, **changes)
        self.runner = make_runner(model, fused=fused)
        self._plain = make_model(architecture, vocab_size=VOCABULARY, **changes)
        self._known: dict[tuple[int, ...], list[int]] = {}

    def expected(self, prompt: Sequence[int], new: int = NEW) -> list[int]:
        key = (new, *prompt)
        if key not in self._known:
            ids = torch.tensor([prompt])
            plain = self._plain.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=new,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
            )
            self._known[key] = plain[0, len(prompt) :].tolist()
        return self._known[key]


PEERS: dict[Architecture, Peer] = {}


def peer(architecture: Architecture) -> Peer:
    if architecture not in PEERS:
        PEERS[architecture] = Peer(architecture)
    return PEERS[architecture]


def generation(runner: TorchRunner, chunk: int = 16) -> Generation:
    return Generation(runner, PrefixIndex(LETTERS, VOCABULARY), chunk, Counter(), lambda: None)


def ask(ids: Sequence[int], sink: Any = lambda _: None, **params: Any) -> Request:
    params = {"max_tokens": NEW, **params}
    return Request("r", list(ids), Params(**params), TextStream(LETTERS), sink, CONTEXT)


def output(request: Request) -> list[int]:
    return request.ids[request.prompt_tokens :]


def run(generation: Generation, *requests: Request) -> None:
    for request in requests:
        generation.add(request)
    while not generation.idle:
        generation.step()


PROMPTS = [
    [(7 * n + k) % VOCABULARY for n in range(length)] for k, length in enumerate((3, 17, 40, 9))
]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_tokens_are_those_of_generate(architecture: Architecture) -> None:
    one = peer(architecture)
    for prompt in PROMPTS:
        request = ask(prompt)
        run(generation(one.runner), request)
        assert output(request) == one.expected(prompt)


def test_layers_that_are_not_fused_give_the_same_tokens() -> None:
    one = Peer("llama", fused=False)
    requests = [ask(prompt) for prompt in PROMPTS]
    run(generation(one.runner), *requests)
    assert [output(request) for request in requests] == [one.expected(p) for p in PROMPTS]


@pytest.mark.parametrize("multi_query", [True, False])
def test_both_kinds_of_attention_of_gpt_bigcode_are_right(multi_query: bool) -> None:
    one = Peer("gpt_bigcode", multi_query=multi_query)
    request = ask(PROMPTS[1])
    run(generation(one.runner), request)
    assert output(request) == one.expected(PROMPTS[1])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_reused_rows_give_the_same_tokens_as_computed_ones(architecture: Architecture) -> None:
    one = peer(architecture)
    steps = generation(one.runner)
    prompt = PROMPTS[2]
    finishes: list[Event] = []
    for cut in (20, 21, 30, 40, 25):
        request = ask(prompt[:cut], finishes.append)
        run(steps, request)
        assert output(request) == one.expected(prompt[:cut])
    cached = [event.cached_tokens for event in finishes if isinstance(event, Finish)]
    assert cached == [0, 20, 21, 30, 24]


CUTS = st.lists(
    st.tuples(st.sampled_from(range(len(PROMPTS))), st.integers(1, 40), st.integers(0, 5)),
    min_size=1,
    max_size=8,
)


@pytest.mark.fault("F47")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@given(CUTS, st.integers(1, 20), st.integers(0, 2**32))
@settings(deadline=None, max_examples=15)
def test_any_order_of_arrivals_chunks_and_cancels_gives_the_same_tokens(
    architecture: Architecture, cuts: list[tuple[int, int, int]], chunk: int, seed: int
) -> None:
    one = peer(architecture)
    steps = generation(one.runner, chunk)
    requests = []
    for which, cut, pause in cuts:
        request = ask(PROMPTS[which][:cut])
        requests.append(request)
        steps.add(request)
        for _ in range(pause):
            steps.step()
        if (seed >> len(requests)) % 4 == 0:
            request.cancelled = True
    while not steps.idle:
        steps.step()
    for request in requests:
        expected = one.expected(request.ids[: request.prompt_tokens])
        assert output(request) == expected[: request.output_tokens]
        assert request.cancelled or request.output_tokens == NEW


SHAPED: list[dict[str, Any]] = [
    {"temperature": 1.0, "seed": 5},
    {"presence_penalty": -2.0, "frequency_penalty": 0.5},
    {"temperature": 0.7, "seed": 1, "frequency_penalty": 1.0, "logit_bias": ((9, 3.0),)},
]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("params", SHAPED)
def test_a_request_says_the_same_alone_and_in_a_batch(
    architecture: Architecture, params: dict[str, Any]
) -> None:
    runner = peer(architecture).runner
    alone, together = ask(PROMPTS[1], **params), ask(PROMPTS[1], **params)
    run(generation(runner), alone)
    others = [ask(PROMPTS[n], **SHAPED[n % 3]) for n in (0, 2, 3)]
    run(generation(runner), others[0], together, *others[1:])
    assert output(together) == output(alone)
    assert output(alone) != peer(architecture).expected(PROMPTS[1])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_are_those_of_the_plain_model(architecture: Architecture) -> None:
    one, events = peer(architecture), list[Event]()
    scored, other = ask(PROMPTS[1], events.append, logprobs=3), ask(PROMPTS[3], temperature=1.0)
    run(generation(one.runner), scored, other)
    assert output(scored) == one.expected(PROMPTS[1])
    with torch.inference_mode():
        plain = one._plain(torch.tensor([scored.ids[:-1]])).logits[0, -NEW:].log_softmax(-1)
    *said, end = events
    assert isinstance(end, Finish)
    for event, token, row in zip(said, output(scored), plain, strict=True):
        assert isinstance(event, Scored)
        assert event.score.token == token
        assert event.score.logprob == pytest.approx(float(row[token]), abs=1e-4)
        values = row.topk(3).values.tolist()
        assert [value for _, value in event.score.top] == pytest.approx(values, abs=1e-4)


def test_bfloat16_memory_gives_finite_numbers() -> None:
    model = make_model("llama", vocab_size=VOCABULARY).to(torch.bfloat16)
    request = ask(PROMPTS[1])
    run(generation(make_runner(model)), request)
    assert request.output_tokens == NEW


@pytest.mark.fault("F53")
def test_nan_fails_the_request_and_never_becomes_token_0() -> None:
    model = make_model("gpt_bigcode", vocab_size=VOCABULARY)
    runner = make_runner(model)
    model.transformer.ln_f.bias.data[3] = float("nan")
    events: list[Event] = []
    run(generation(runner), ask(PROMPTS[0], events.append))
    [error] = events
    assert isinstance(error, EngineError)
    assert "not finite" in str(error)


def no_cpu_memory() -> RuntimeError:
    """Return what torch says where a CPU has no memory left."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    return caught.value


@pytest.mark.fault("F53")
@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (torch.OutOfMemoryError("tried to allocate"), OutOfMemoryError, "out of memory: tried"),
        (no_cpu_memory(), OutOfMemoryError, "out of memory: can't allocate memory: you tried"),
        (RuntimeError("shapes cannot be multiplied"), RuntimeError, "^shapes"),
        (RuntimeError("CUDA error: device-side assert triggered"), DeviceLostError, "GPU"),
    ],
)
def test_what_the_device_says_is_told_apart(
    raised: Exception, expected: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = peer("llama").runner

    def broken(*_: Any, **__: Any) -> Any:
        raise raised

    monkeypatch.setattr(runner._model, "forward", broken)
    request = ask([1, 2, 3])
    request.slot = 0
    with pytest.raises(expected, match=message):
        runner.step([Work(request, 0, 3, sample=True)])


@pytest.mark.fault("F52")
def test_after_running_out_of_memory_the_next_request_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = peer("gpt_bigcode")
    steps, events = generation(one.runner), list[Event]()
    with monkeypatch.context() as patch:

        def broken(*_: Any, **__: Any) -> Any:
            raise torch.OutOfMemoryError("tried to allocate 20 GiB. See the documentation")

        patch.setattr(one.runner._model, "forward", broken)
        run(steps, ask(PROMPTS[0], events.append))
    [error] = events
    assert isinstance(error, OutOfMemoryError)
    after = ask(PROMPTS[0])
    run(steps, after)
    assert output(after) == one.expected(PROMPTS[0])
