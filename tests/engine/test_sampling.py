"""From logits to tokens."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.engine.request import Params, Request
from opencoder_lsp.engine.sampling import NOT_FINITE, Adjustment, Sampler, keep_likeliest
from opencoder_lsp.engine.step import Work
from opencoder_lsp.engine.text import TextStream
from tests.fakes.runner import LETTERS, PREFIXES

CPU = torch.device("cpu")
SAMPLER = Sampler(PREFIXES, CPU)
SIZE = LETTERS.vocab_size


def work(forced: bytes = b"", **params: Any) -> Work:
    """Make the sampling part of a step."""
    request = Request("r", [1], Params(**params), TextStream(LETTERS), lambda _: None, 10)
    return Work(request, 0, 1, sample=True, allowed=PREFIXES.allowed(forced) if forced else None)


def logits(seed: int = 0, rows: int = 1) -> torch.Tensor:
    """Make random logits, the same for the same seed."""
    return torch.randn((rows, SIZE), generator=torch.Generator().manual_seed(seed))


def test_without_temperature_the_likeliest_token_is_taken() -> None:
    rows = logits(rows=3)
    chosen = SAMPLER.choose(rows, [work(), work(), work()])
    assert chosen == rows.argmax(-1).tolist()


@pytest.mark.fault("F53")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_logits_that_are_not_finite_are_never_a_token(bad: float, temperature: float) -> None:
    rows = logits(rows=2)
    rows[0, 5] = bad
    chosen = SAMPLER.choose(rows, [work(temperature=temperature, seed=1), work()])
    assert chosen == [NOT_FINITE, int(rows[1].argmax())]


@given(st.integers(0, 1000), st.binary(min_size=1, max_size=3))
@settings(deadline=None, max_examples=50)
def test_a_forced_prefix_gives_the_constrained_argmax(seed: int, forced: bytes) -> None:
    row = logits(seed)
    [chosen] = SAMPLER.choose(row.clone(), [work(forced)])
    agree = [id for id in range(SIZE) if _agrees(LETTERS.token_bytes(id), forced)]
    assert chosen == max(agree, key=lambda id: float(row[0, id]))


def _agrees(token: bytes, text: bytes) -> bool:
    return bool(token) and (token.startswith(text) or text.startswith(token))


def test_a_forced_prefix_holds_when_sampling_too() -> None:
    for seed in range(20):
        [chosen] = SAMPLER.choose(logits(seed), [work(b"q", temperature=2.0, seed=seed)])
        assert chosen == ord("q")


def draw(request: Work, count: int) -> list[int]:
    """Draw from the same logits again and again, by the request's own generator."""
    return [SAMPLER.choose(logits(), [request])[0] for _ in range(count)]


def test_a_seed_gives_the_same_sample_again() -> None:
    first = draw(work(temperature=1.0, seed=7), 20)
    assert draw(work(temperature=1.0, seed=7), 20) == first
    assert draw(work(temperature=1.0, seed=8), 20) != first


def test_without_a_seed_samples_differ() -> None:
    assert draw(work(temperature=1.0), 20) != draw(work(temperature=1.0), 20)


def test_a_seed_gives_the_same_sample_alone_and_in_a_batch() -> None:
    rows = logits(rows=3)
    alone = SAMPLER.choose(rows[1:2].clone(), [work(temperature=1.0, seed=7)])
    others = work(temperature=1.0, seed=1), work(temperature=0.5)
    together = SAMPLER.choose(rows, [others[0], work(temperature=1.0, seed=7), others[1]])
    assert together[1] == alone[0]


def test_samples_follow_the_probabilities() -> None:
    row = torch.full((1, SIZE), -50.0)
    row[0, :3] = torch.tensor([0.5, 0.3, 0.2]).log()
    request = work(temperature=1.0, seed=3)
    counts = Counter(SAMPLER.choose(row.clone(), [request])[0] for _ in range(3000))
    shares = [counts[id] / 3000 for id in range(3)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.04)


def adjusted(row: torch.Tensor, output: Sequence[int], params: Params) -> list[float]:
    """Compute what OpenAI's formula says, one number at a time."""
    expected = row.tolist()
    for token, count in Counter(output).items():
        expected[token] -= count * params.frequency_penalty + params.presence_penalty
    for token, bias in params.logit_bias:
        expected[token] += bias
    return expected


PENALTY = st.floats(-2, 2, width=32)
BIASES = st.dictionaries(st.integers(0, 9), st.floats(-100, 100, width=32), max_size=5)


@given(PENALTY, PENALTY, BIASES, st.lists(st.integers(0, 9), max_size=12), st.integers(0, 1000))
@settings(deadline=None, max_examples=100)
def test_penalties_and_biases_follow_openais_formula(
    presence: float, frequency: float, biases: dict[int, float], output: list[int], seed: int
) -> None:
    params = Params(
        presence_penalty=presence, frequency_penalty=frequency, logit_bias=tuple(biases.items())
    )
    one = Adjustment(params, SIZE, CPU)
    for token in output:
        one.count(torch.tensor([token]))
    row = logits(seed)[0]
    expected = adjusted(row, output, params)
    one.apply(row)
    assert row.tolist() == pytest.approx(expected, abs=1e-4)


def test_a_penalty_counts_what_was_chosen_and_nothing_else() -> None:
    request = work(presence_penalty=1.0)
    row = torch.zeros((1, SIZE))
    row[0, :4] = torch.tensor([3.0, 2.5, 2.2, 1.0])
    chosen = [SAMPLER.choose(row.clone(), [request])[0] for _ in range(6)]
    assert chosen == [0, 1, 2, 0, 0, 0]  # presence takes off 1.0, once


def test_a_frequency_penalty_grows_with_each_use() -> None:
    request = work(frequency_penalty=0.4)
    row = torch.zeros((1, SIZE))
    row[0, :2] = torch.tensor([3.0, 2.5])
    chosen = [SAMPLER.choose(row.clone(), [request])[0] for _ in range(6)]
    assert chosen == [0, 0, 1, 0, 1, 0]  # 3.0 2.6 | 2.5 (2.2) | 2.2 (2.1) | 2.1 (1.8) | 1.8


def test_a_bias_forbids_a_token_or_makes_it_certain() -> None:
    best = int(logits().argmax())
    assert SAMPLER.choose(logits(), [work(logit_bias=((best, -100.0),))]) != [best]
    assert SAMPLER.choose(logits(), [work(logit_bias=((259, 100.0),))]) == [259]
    sampled = work(logit_bias=((259, 100.0),), temperature=1.0, seed=1)
    assert draw(sampled, 20) == [259] * 20


def test_a_forced_prefix_holds_against_any_bias() -> None:
    assert SAMPLER.choose(logits(), [work(b"q", logit_bias=((5, 100.0),))]) == [ord("q")]


def test_penalties_touch_only_their_own_request() -> None:
    rows = logits(rows=3)
    plain = rows.argmax(-1).tolist()
    penalised = work(presence_penalty=2.0, frequency_penalty=2.0)
    for _ in range(5):
        chosen = SAMPLER.choose(rows.clone(), [work(), penalised, work()])
        assert [chosen[0], chosen[2]] == [plain[0], plain[2]]


def test_a_penalised_request_chooses_the_same_alone_and_in_a_batch() -> None:
    params: dict[str, Any] = {
        "presence_penalty": 0.7,
        "frequency_penalty": 0.3,
        "logit_bias": ((5, 2.0),),
    }
    extras: list[dict[str, Any]] = [{}, {"temperature": 0.8, "seed": 3}]
    for extra in extras:
        alone, together = work(**params, **extra), work(**params, **extra)
        other = work(frequency_penalty=1.0, temperature=1.0)
        for seed in range(10):
            rows = logits(seed, rows=2)
            expected = SAMPLER.choose(rows[1:].clone(), [alone])
            assert SAMPLER.choose(rows, [other, together])[1:] == expected


def test_not_a_number_is_found_behind_penalties_too() -> None:
    request = work(presence_penalty=1.0, logit_bias=((3, 5.0),))
    rows = logits()
    rows[0, 3] = float("nan")
    assert SAMPLER.choose(rows, [request]) == [NOT_FINITE]


def test_a_request_without_penalties_keeps_nothing_on_the_device() -> None:
    plain, biased = work(), work(logit_bias=((3, 5.0),))
    SAMPLER.choose(logits(rows=2), [plain, biased])
    assert plain.request.adjustment is None
    assert biased.request.adjustment._counts is None


@given(st.integers(0, 5), st.integers(0, 1000), st.floats(0, 2))
@settings(deadline=None, max_examples=50)
def test_scores_are_the_models_own_log_probabilities(k: int, seed: int, penalty: float) -> None:
    row = logits(seed)
    scored = work(logprobs=k, frequency_penalty=penalty, logit_bias=((9, 3.0),), temperature=0.0)
    SAMPLER.choose(row.clone(), [scored])
    [chosen] = SAMPLER.choose(row.clone(), [scored])
    expected = [value - math.log(sum(map(math.exp, row[0].tolist()))) for value in row[0].tolist()]
    said = scored.request.score
    assert said is not None
    assert said.token == chosen
    assert said.logprob == pytest.approx(expected[chosen], abs=1e-4)
    likeliest = sorted(range(SIZE), key=lambda id: -expected[id])[:k]
    assert [id for id, _ in said.top] == likeliest
    assert [value for _, value in said.top] == pytest.approx(
        [expected[id] for id in likeliest], abs=1e-4
    )


def test_each_request_of_a_batch_gets_the_scores_that_it_asked_for() -> None:
    rows = logits(rows=4)
    rows[3, 7] = float("nan")
    works = [work(logprobs=2), work(), work(logprobs=0), work(logprobs=5)]
    chosen = SAMPLER.choose(rows.clone(), works)
    scores = [one.request.score for one in works]
    assert scores[1] is scores[3] is None
    assert chosen[3] == NOT_FINITE
    assert scores[0] is not None
    assert scores[2] is not None
    assert [len(scores[0].top), len(scores[2].top)] == [2, 0]
    assert scores[0].top[0] == (chosen[0], scores[0].logprob)
    assert scores[2].token == chosen[2]


def test_a_forced_token_may_be_an_unlikely_one() -> None:
    forced = work(b"q", logprobs=1)
    assert SAMPLER.choose(logits(), [forced]) == [ord("q")]
    said = forced.request.score
    assert said is not None
    assert said.logprob == pytest.approx(float(logits().log_softmax(-1)[0, ord("q")]), abs=1e-5)
    assert said.top[0][0] != ord("q")


def kept(row: torch.Tensor, top_k: int = 0, top_p: float = 1.0) -> list[int]:
    return keep_likeliest(row, top_k, top_p).isfinite().nonzero().flatten().tolist()


def test_top_k_keeps_the_likeliest() -> None:
    row = torch.tensor([0.0, 3.0, 1.0, 2.0])
    assert kept(row, top_k=2) == [1, 3]
    assert kept(row, top_k=0) == kept(row, top_k=99) == [0, 1, 2, 3]


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    row = torch.tensor([0.1, 0.5, 0.15, 0.25]).log()
    assert kept(row, top_p=0.5) == [1]
    assert kept(row, top_p=0.51) == [1, 3]
    assert kept(row, top_p=0.8) == [1, 2, 3]
    assert kept(row, top_p=1e-9) == [1]


def test_top_p_looks_at_what_top_k_left() -> None:
    row = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    assert kept(row, top_k=2, top_p=0.6) == [0, 1]  # 4/7 alone is not enough
    assert kept(row, top_k=2, top_p=0.5) == [0]


def test_the_smallest_temperature_is_as_good_as_greedy() -> None:
    row = logits() * 50
    assert SAMPLER.choose(row.clone(), [work(temperature=0.01, seed=1)]) == [int(row.argmax())]
