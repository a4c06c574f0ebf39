"""What a request may say, and what it is told where it may not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.engine.request import Params
from opencoder_lsp.engine.wire import CompletionBody
from opencoder_lsp.serving.messages import sse
from opencoder_lsp.serving.refusals import RefusedError
from tests.fakes.runner import FakeRunner, loaded

MODEL = loaded(FakeRunner(), context=10)


def parse(**body: Any) -> CompletionBody:
    return CompletionBody.parse(json.dumps({"prompt": [1, 2], **body}).encode())


def refused(raw: bytes | None = None, **body: Any) -> RefusedError:
    """Return what a body is told; it has to be refused before the engine."""

    def check() -> None:
        one = CompletionBody.parse(raw) if raw is not None else parse(**body)
        one.ids(MODEL)
        one.params(MODEL)

    with pytest.raises(RefusedError) as caught:
        check()
    assert caught.value.status == 400
    assert caught.value.as_json()["error"]["type"] == "invalid_request_error"
    return caught.value


@pytest.mark.fault("F45", "S9")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", -1),
        ("max_tokens", 10**9),
        ("max_tokens", 1.5),
        ("max_tokens", 2.0),
        ("max_tokens", True),
        ("max_tokens", "16"),
        ("max_tokens", None),
        ("temperature", -1),
        ("temperature", 1e-40),
        ("temperature", 1e9),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("temperature", True),
        ("temperature", "0"),
        ("top_p", 0),
        ("top_p", 2),
        ("top_p", float("nan")),
        ("top_k", -1),
        ("top_k", 1.5),
        ("seed", 1.5),
        ("seed", 2**64),
        ("priority", -1),
        ("priority", "high"),
        ("stream", 1),
        ("forced_prefix", 5),
        ("forced_prefix", "x" * 20_000),
        ("stop_token_ids", [260]),
        ("stop_token_ids", [-1]),
        ("stop_token_ids", [True]),
        ("stop_token_ids", [1] * 2000),
        ("prompt", []),
        ("prompt", ""),
        ("prompt", None),
        ("prompt", {}),
        ("prompt", [1.0]),
        ("prompt", [True]),
        ("prompt", ["text"]),
        ("prompt", [[1, 2]]),
        ("prompt", [-1]),
        ("prompt", [260]),
        ("prompt", [10**30]),
        ("n", 0),
        ("n", 9),
        ("n", 10**6),
        ("n", 1.5),
        ("n", True),
        ("best_of", 3),
        ("presence_penalty", 2.5),
        ("presence_penalty", "1"),
        ("frequency_penalty", -2.5),
        ("frequency_penalty", float("nan")),
        ("logit_bias", {"5": 100.5}),
        ("logit_bias", {"5": -101}),
        ("logit_bias", {"5": "1"}),
        ("logit_bias", {"5": None}),
        ("logit_bias", {"a": 1}),
        ("logit_bias", {"1.5": 1}),
        ("logit_bias", {"-1": 1}),
        ("logit_bias", {"260": 1}),
        ("logit_bias", {"260": 0}),
        ("logit_bias", {str(10**30): 1}),
        ("logit_bias", {str(id): 1 for id in range(1025)}),
        ("logit_bias", [1, 2]),
        ("logprobs", 21),
        ("logprobs", -1),
        ("logprobs", True),
        ("echo", True),
        ("suffix", "x"),
        ("stop", [""]),
        ("stop", ""),
        ("stop", 5),
        ("stop", [None]),
        ("stop", ["x"] * 65),
        ("stop", "x" * 257),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: Any) -> None:
    error = refused(**{name: value})
    assert error.param == name
    assert name in str(error)


@pytest.mark.fault("S14")
@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"prompt": "\\ud800"}', b"{}"]
)
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    refused(raw)


@pytest.mark.fault("S9")
def test_deep_nesting_is_refused() -> None:
    refused(b'{"prompt": ' + b"[" * 100_000)


@pytest.mark.fault("F66")
def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    assert "secret" not in str(refused(prompt=["secret"]))
    assert "secret" not in str(refused(raw=b'{"prompt": "secret'))


@pytest.mark.parametrize(
    "body",
    [
        {"n": 1, "presence_penalty": 0.0, "logit_bias": {}, "logprobs": None, "stop": None},
        {"logit_bias": {"5": 0}, "presence_penalty": None, "frequency_penalty": None},
        {"frequency_penalty": 0, "best_of": 1, "echo": False, "suffix": None, "stop": []},
        {"user": "x", "stream_options": {"include_usage": True}, "something": [1]},
    ],
)
def test_what_changes_nothing_is_accepted(body: dict[str, Any]) -> None:
    assert parse(**body).params(MODEL) == Params(max_tokens=16, temperature=1.0)


def test_values_arrive_as_they_were_sent() -> None:
    body = parse(
        max_tokens=5,
        stop_token_ids=[3, 3, 4],
        stop=["x", "\n"],
        forced_prefix="é",
        priority=10,
        temperature=0,
        top_p=0.5,
        top_k=7,
        seed=-5,
        presence_penalty=0.5,
        frequency_penalty=-2,
        logit_bias={"259": -100, "7": 1.5},
        logprobs=5,
    )
    assert body.params(MODEL) == Params(
        max_tokens=5,
        stop_ids=frozenset({3, 4}),
        stop=("x", "\n"),
        forced_prefix="é".encode(),
        priority=10,
        temperature=0.0,
        top_p=0.5,
        top_k=7,
        seed=-5,
        presence_penalty=0.5,
        frequency_penalty=-2.0,
        logit_bias=((259, -100.0), (7, 1.5)),
        logprobs=5,
    )


@pytest.mark.parametrize(
    ("params", "plain"),
    [
        ({"temperature": 0}, True),
        ({"temperature": 0, "forced_prefix": "x", "seed": 1, "top_k": 5}, True),
        ({"temperature": 0.5}, False),
        ({"temperature": 0, "presence_penalty": 1}, False),
        ({"temperature": 0, "frequency_penalty": 1}, False),
        ({"temperature": 0, "logit_bias": {"5": 1}}, False),
        ({"temperature": 0, "logprobs": 0}, False),
    ],
)
def test_plain_greedy_is_what_the_model_finds_likeliest(
    params: dict[str, Any], plain: bool
) -> None:
    assert parse(**params).params(MODEL).plain_greedy is plain


@pytest.mark.fault("F44")
def test_the_longest_prompt_leaves_room_for_one_token() -> None:
    assert parse(prompt=[1] * 9).ids(MODEL) == [1] * 9


@pytest.mark.fault("F44")
@pytest.mark.parametrize("prompt", [[1] * 10, "x" * 10])
def test_a_longer_prompt_is_refused_with_both_numbers(prompt: object) -> None:
    error = refused(prompt=prompt)
    assert error.code == "context_length_exceeded"
    assert "10 tokens" in str(error)
    assert "at most 9" in str(error)


def test_a_prompt_that_is_only_to_be_warmed_may_fill_the_context() -> None:
    assert len(parse(prompt=[1] * 10, max_tokens=0).ids(MODEL)) == 10
    refused(prompt=[1] * 11, max_tokens=0)


def test_a_seed_may_be_left_out() -> None:
    assert parse(seed=None).params(MODEL).seed is None


def test_as_many_choices_as_were_asked_for_may_be_the_best_of_themselves() -> None:
    assert parse(n=3, best_of=3).choices == 3
    assert parse(n=None).choices == parse().choices == 1
    assert refused(n=3, best_of=1).param == "best_of"


@pytest.mark.fault("F49")
@given(st.text())
def test_an_event_is_one_line_whatever_the_text(text: str) -> None:
    line = sse({"text": text})
    assert line.startswith(b"data: ")
    assert line.endswith(b"\n\n")
    assert len(line.splitlines()) == 2
    assert json.loads(line[6:]) == {"text": text}
