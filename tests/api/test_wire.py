"""Bodies: what is taken, and what is refused by name before anything else sees it."""

import json
import logging
import math
from typing import Any

import pytest

from opencoder_lsp.api.wire import Body, ChatBody, TextBody
from opencoder_lsp.serving.refusals import RefusedError

HELLO = [{"role": "user", "content": "hello"}]


def chat(**fields: Any) -> ChatBody:
    return ChatBody.parse(json.dumps({"messages": HELLO, **fields}).encode())


def text(**fields: Any) -> TextBody:
    return TextBody.parse(json.dumps({"prompt": "x", **fields}).encode())


def refused(kind: type[Body], raw: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        kind.parse(raw)
    assert caught.value.status == 400
    return caught.value


NUMBERS: list[tuple[str, Any]] = [
    ("n", 10**6),
    ("n", 0),
    ("n", True),
    ("max_tokens", -1),
    ("max_tokens", 0),
    ("max_tokens", 10**9),
    ("max_tokens", 1.5),
    ("max_tokens", "5"),
    ("temperature", math.nan),
    ("temperature", -1),
    ("temperature", 1e-40),
    ("temperature", 1e9),
    ("temperature", "0"),
    ("temperature", True),
    ("top_p", 0),
    ("top_p", 2),
    ("top_k", -1),
    ("seed", 2**64),
    ("stop", ["x"] * 10_000),
    ("stop", [""]),
    ("stop", ""),
    ("stop", "x" * 257),
    ("stop", [["x"]]),
    ("logit_bias", {"5": 101}),
    ("logit_bias", {"a": 1}),
    ("logit_bias", [1]),
    ("logit_bias", {str(id): 1 for id in range(2000)}),
    ("presence_penalty", 2.5),
    ("frequency_penalty", math.inf),
    ("logprobs", 10**6),
    ("stream", "yes"),
    ("stream_options", True),
    ("stop_token_ids", [1] * 2000),
    ("model", 5),
]
UNSUPPORTED: list[tuple[str, Any]] = [
    ("tools", [{"type": "function"}]),
    ("tool_choice", "required"),
    ("functions", [{"name": "f"}]),
    ("response_format", {"type": "json_object"}),
    ("modalities", ["text", "audio"]),
    ("reasoning_effort", "high"),
    ("chat_template", "{{ messages }}"),
    ("chat_template_kwargs", {"thinking": True}),
    ("prompt_embeds", "AAAA"),
    ("guided_json", {}),
    ("echo", True),
    ("best_of", 3),
    ("min_p", 0.1),
    ("repetition_penalty", 1.1),
    ("ignore_eos", True),
]


@pytest.mark.fault("F42", "S14")
@pytest.mark.parametrize("make", [chat, text])
@pytest.mark.parametrize(("name", "value"), NUMBERS)
def test_a_value_out_of_range_is_refused_by_name(make: Any, name: str, value: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        make(**{name: value})
    assert caught.value.status == 400
    assert caught.value.param == name
    assert name in str(caught.value)


@pytest.mark.fault("F43", "S14")
@pytest.mark.parametrize("make", [chat, text])
@pytest.mark.parametrize(("name", "value"), UNSUPPORTED)
def test_what_would_change_the_answer_and_cannot_is_refused_by_name(
    make: Any, name: str, value: Any
) -> None:
    with pytest.raises(RefusedError, match=f"{name} is not supported") as caught:
        make(**{name: value})
    assert (caught.value.status, caught.value.param) == (400, name)


@pytest.mark.fault("F43")
@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ("hello", "messages"),
        ([{"content": "x"}], "messages[0].role"),
        ([*HELLO, {"role": "tool", "content": "x"}], "messages[1].role"),
        ([{"role": "Human", "content": "x"}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([5], "messages[0]"),
        (HELLO * 10_000, "messages"),
    ],
)
def test_bad_messages_are_named_by_their_place(messages: Any, param: str) -> None:
    with pytest.raises(RefusedError) as caught:
        chat(messages=messages)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.fault("F43")
@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]},
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "assistant", "tool_calls": [{"id": "1"}]},
    ],
)
def test_what_is_not_text_is_refused(message: Any) -> None:
    body = chat(messages=[message])
    with pytest.raises(RefusedError) as caught:
        body.messages[0].message("messages[0]")
    assert (caught.value.status, caught.value.param) == (400, "messages[0]")


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [], "tool_choice": "auto", "response_format": {"type": "text"}, "echo": False},
        {"store": True, "metadata": {"a": "b"}, "user": "me", "parallel_tool_calls": True},
        {"best_of": 1, "functions": None, "service_tier": "flex", "prediction": {"type": "x"}},
        dict.fromkeys(["n", "stop", "seed", "temperature", "top_p", "logit_bias", "stream"]),
        {"stop": [], "logit_bias": {}, "stream_options": {"include_usage": None, "x": 1}},
        {"logit_bias": {"5": -100}, "temperature": 0, "presence_penalty": -2},
    ],
)
def test_what_changes_nothing_is_taken(fields: dict[str, Any]) -> None:
    assert chat(**fields).choices == text(**fields).choices == 1


def test_unknown_fields_are_logged_by_name_and_never_by_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        chat(**{"novel": "secret", "my secret is": 1, "user": "secret"})
    assert caplog.messages == ["fields that nothing reads: novel"]


@pytest.mark.fault("F42", "S14")
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'"secret', b"[" * 100_000])
@pytest.mark.parametrize("kind", [ChatBody, TextBody])
def test_what_is_no_object_is_refused_without_a_word_of_it(kind: type[Body], raw: bytes) -> None:
    assert "secret" not in str(refused(kind, raw))


@pytest.mark.fault("S14")
def test_a_million_wrong_ids_are_one_error() -> None:
    raw = b'{"prompt": [' + b"1.5," * 1_000_000 + b"1.5]}"
    assert refused(TextBody, raw).param == "prompt"


@pytest.mark.parametrize(
    ("given", "prompt"),
    [("x", "x"), (["x"], "x"), ([1, 2], [1, 2]), ([[1, 2]], [1, 2]), (None, ""), ("", "")],
)
def test_one_prompt_may_come_in_any_of_openais_forms(given: Any, prompt: Any) -> None:
    assert text(prompt=given).one_prompt == prompt


@pytest.mark.parametrize("given", [["x", "y"], [[1], [2]], [], [[]]])
def test_several_prompts_or_none_are_refused(given: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        _ = text(prompt=given).one_prompt
    assert (caught.value.status, caught.value.param) == (400, "prompt")


def test_parts_of_text_are_joined_and_a_developer_is_the_system() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    message = chat(messages=[{"role": "developer", "content": parts}]).messages[0].message("x")
    assert (message.role, message.content) == ("system", "a\nb")


def test_likeliest_tokens_need_probabilities() -> None:
    assert chat(logprobs=True, top_logprobs=20).scored == 20
    assert chat(logprobs=True).scored == 0
    assert chat(logprobs=False).scored is None
    with pytest.raises(RefusedError, match="needs logprobs"):
        _ = chat(top_logprobs=2).scored
