"""Conversations as ids and mask, exactly as in training."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.errors import PromptError, PromptTooLongError
from opencoder_lsp.prompt.conversation import (
    TEMPLATES,
    Message,
    Role,
    Template,
    encode,
    fit,
    stop_ids,
)
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.prompt.conftest import goldens

OPENCODER, CHATML, OPENCHAT = (TEMPLATES[name] for name in ("opencoder", "chatml", "openchat"))


def user(text: str) -> Message:
    """Make a question."""
    return Message("user", text)


def assistant(text: str) -> Message:
    """Make an answer."""
    return Message("assistant", text)


def system(text: str) -> Message:
    """Make a system message."""
    return Message("system", text)


def shown(template: Template, tokenizer: Tokenizer, *messages: Message) -> str:
    """Return the ids of a conversation with the names of control tokens and `·` between ids."""
    names = {tokenizer.control_id(name): name for name in NAMES if tokenizer.has_control(name)}
    encoded = encode(template, tokenizer, messages)
    return "".join(names.get(id) or tokenizer.token_bytes(id).decode() for id in encoded.ids)


NAMES = ("<s>", "</s>", "<|end_of_turn|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>")


def learned(template: Template, tokenizer: Tokenizer, *messages: Message) -> str:
    """Return the text and control names under the training mask."""
    names = {tokenizer.control_id(name): name for name in NAMES if tokenizer.has_control(name)}
    encoded = encode(template, tokenizer, messages)
    assert len(encoded.ids) == len(encoded.mask)
    kept = [id for id, on in zip(encoded.ids, encoded.mask, strict=True) if on]
    return "".join(names.get(id) or tokenizer.token_bytes(id).decode() for id in kept)


@pytest.mark.parametrize("case", goldens("golden_conversations.json"))
def test_ids_equal_those_of_the_original_implementation(
    starcoder: Tokenizer, case: dict[str, Any]
) -> None:
    messages = [Message(**message) for message in case["messages"]]
    assert encode(OPENCODER, starcoder, messages).ids == case["ids"]
    assert encode(OPENCODER, starcoder, [*messages, assistant("")]).ids == case["ids"]


def test_opencoder_has_no_bos_and_nothing_between_its_segments(small: Tokenizer) -> None:
    assert shown(OPENCODER, small, user("Hi"), assistant("Yes"), user("Go")) == (
        "User:Hi<|end_of_turn|>Assistant:Yes<|end_of_turn|>User:Go<|end_of_turn|>Assistant:"
    )


def test_openchat_begins_with_one_bos_and_has_a_blank_behind_its_roles(llama: Tokenizer) -> None:
    ids = encode(OPENCHAT, llama, [user("Hi"), assistant("Yes"), user("Go")]).ids
    bos, eot = llama.control_id("<s>"), llama.control_id("<|end_of_turn|>")
    human, ai = llama.encode("Human: "), llama.encode("Assistant: ")
    # Each segment has its own blank in front, as SentencePiece gives it.
    assert ids == [
        *[bos, *human, *llama.encode("Hi"), eot, *ai, *llama.encode("Yes"), eot],
        *[*human, *llama.encode("Go"), eot, *ai],
    ]


def test_openchat_8192_differs_in_its_length_only(llama: Tokenizer) -> None:
    longer = TEMPLATES["openchat_8192"]
    messages = [user("Hi"), assistant("")]
    assert encode(longer, llama, messages) == encode(OPENCHAT, llama, messages)
    assert (OPENCHAT.context_length, longer.context_length) == (2048, 8192)


def test_chatml_has_control_tokens_round_each_message_and_line_ends(small: Tokenizer) -> None:
    assert shown(CHATML, small, system("Be brief."), user("Hi"), assistant("Yes"), user("Go")) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nYes<|im_end|>\n<|im_start|>user\nGo<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("template", [OPENCODER, CHATML])
def test_an_empty_last_assistant_message_opens_the_answer(
    small: Tokenizer, template: Template
) -> None:
    opened = encode(template, small, [user("Hi"), assistant("")])
    assert opened == encode(template, small, [user("Hi")])
    assert not any(opened.mask)


def test_a_prefilled_answer_is_left_open_and_learned(small: Tokenizer) -> None:
    messages = (user("Hi"), assistant("```python\ndef"))
    assert shown(OPENCODER, small, *messages).endswith("Assistant:```python\ndef")
    assert learned(OPENCODER, small, *messages) == "```python\ndef"


def test_the_mask_covers_assistant_text_and_its_eot_and_nothing_else(small: Tokenizer) -> None:
    messages = (system("S"), user("Hi"), assistant("Yes"), user("Go"), assistant("No"), user("?"))
    assert learned(OPENCODER, small, *messages) == "Yes<|end_of_turn|>No<|end_of_turn|>"
    assert learned(CHATML, small, *messages) == "Yes<|im_end|>No<|im_end|>"


def test_segments_are_tokenized_each_on_its_own(starcoder: Tokenizer) -> None:
    ids = encode(OPENCODER, starcoder, [user(":=3")]).ids
    assert ids[:2] == starcoder.encode("User:")
    assert ids[:4] != starcoder.encode("User::=3")[:4]


def test_system_text_stands_in_front_of_the_first_question_where_there_is_no_role(
    small: Tokenizer,
) -> None:
    messages = (system("Be brief."), user("Hi"), assistant("Yes"), system("In French."), user("Go"))
    assert shown(OPENCODER, small, *messages) == (
        "User:Be brief.\n\nIn French.\n\nHi<|end_of_turn|>Assistant:Yes<|end_of_turn|>"
        "User:Go<|end_of_turn|>Assistant:"
    )


def test_a_greeting_may_come_first_and_a_user_may_speak_twice(small: Tokenizer) -> None:
    assert shown(OPENCODER, small, assistant("Hello"), user("Hi"), user("Go")) == (
        "Assistant:Hello<|end_of_turn|>User:Hi<|end_of_turn|>User:Go<|end_of_turn|>Assistant:"
    )


def test_an_answer_in_front_of_a_last_system_message_is_closed(small: Tokenizer) -> None:
    messages = (user("Hi"), assistant("Yes"), system("Be brief."))
    assert shown(OPENCODER, small, *messages) == (
        "User:Be brief.\n\nHi<|end_of_turn|>Assistant:Yes<|end_of_turn|>Assistant:"
    )


@pytest.mark.parametrize("template", [OPENCODER, CHATML])
@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([], "no messages"),
        ([system("x")], "no user message"),
        ([assistant("x")], "no user message"),
        ([user("")], r"message 1 of 1 \(user\) is empty"),
        ([user("x"), assistant(""), user("y")], r"message 2 of 3 \(assistant\) is empty"),
        ([system(""), user("x")], r"message 1 of 2 \(system\) is empty"),
        ([user("x"), user("")], r"message 2 of 2 \(user\) is empty"),
        ([user("x"), Message("tool", "y")], "message 2 of 2 has an unknown role"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_conversation_is_an_error_that_says_where(
    small: Tokenizer, template: Template, messages: list[Message], complaint: str
) -> None:
    with pytest.raises(PromptError, match=complaint):
        encode(template, small, messages)
    with pytest.raises(PromptError, match=complaint):
        fit(template, small, messages, 1000)


def test_a_vocabulary_without_the_templates_tokens_is_named(llama: Tokenizer) -> None:
    with pytest.raises(PromptError, match=r"<\|im_start\|>"):
        encode(CHATML, llama, [user("Hi")])


def test_opencoder_stops_at_its_eot_and_at_the_end_of_a_text(starcoder: Tokenizer) -> None:
    assert stop_ids(OPENCODER, starcoder) == [49152, 0]


def test_answers_stop_at_eot_and_at_the_end_of_a_text(small: Tokenizer, llama: Tokenizer) -> None:
    assert stop_ids(CHATML, small) == [
        small.control_id("<|im_end|>"),
        small.control_id("<|endoftext|>"),
    ]
    assert stop_ids(OPENCHAT, llama) == [
        llama.control_id("<|end_of_turn|>"),
        llama.control_id("</s>"),
    ]


def test_a_vocabulary_without_an_end_of_text_stops_at_eot_alone(llama: Tokenizer) -> None:
    assert stop_ids(OPENCODER, llama) == [llama.control_id("<|end_of_turn|>")]


roles: list[Role] = ["system", "user", "assistant"]
conversations = st.lists(
    st.builds(Message, st.sampled_from(roles), st.text("ab\n🎉", min_size=1, max_size=30)),
    min_size=1,
    max_size=12,
).filter(lambda messages: any(message.role == "user" for message in messages))


@pytest.mark.fault("F46")
@settings(max_examples=500)
@given(messages=conversations, template=st.sampled_from([OPENCODER, CHATML]))
def test_only_templates_make_control_tokens_and_only_answers_are_learned(
    small: Tokenizer, messages: list[Message], template: Template
) -> None:
    encoded = encode(template, small, messages)
    eot = small.control_id(template.eot)
    prefilled = messages[-1].role == "assistant"
    turns = [m for m in messages if m.role != "system" or template.system is not None]
    assert encoded.ids.count(eot) == len(turns) - prefilled
    answers = [m for m in messages if m.role == "assistant"]
    assert sum(encoded.mask) == (
        sum(len(small.encode(m.content)) for m in answers) + len(answers) - prefilled
    )


@settings(max_examples=500)
@given(
    messages=conversations,
    template=st.sampled_from([OPENCODER, CHATML]),
    limit=st.integers(0, 400),
)
def test_fitting_drops_as_few_whole_turns_as_it_can(
    small: Tokenizer, messages: list[Message], template: Template, limit: int
) -> None:
    questions = [n for n, m in enumerate(messages) if m.role == "user"]
    choices = [
        [m for n, m in enumerate(messages) if n >= cut or m.role == "system"]
        for cut in [0, *questions[1:]]
    ]
    sizes = [len(encode(template, small, choice).ids) for choice in choices]
    best = next((n for n, size in enumerate(sizes) if size <= limit), None)
    if best is None:
        with pytest.raises(PromptTooLongError) as error:
            fit(template, small, messages, limit)
        assert (error.value.tokens, error.value.limit) == (sizes[-1], limit)
    else:
        fitted = fit(template, small, messages, limit)
        assert fitted.encoded == encode(template, small, choices[best])
        assert fitted.dropped == len(messages) - len(choices[best])


def test_the_oldest_turn_goes_with_its_answer_and_the_system_text_stays(small: Tokenizer) -> None:
    messages = [system("S"), user("one"), assistant("1"), user("two"), assistant("2"), user("x")]
    all_of_it = len(encode(OPENCODER, small, messages).ids)
    fitted = fit(OPENCODER, small, messages, all_of_it - 1)
    assert fitted.dropped == 2
    assert small.decode(fitted.encoded.ids) == "User:S\n\ntwoAssistant:2User:xAssistant:"
    assert fit(OPENCODER, small, messages, all_of_it).dropped == 0


def test_the_newest_question_is_never_dropped_nor_cut(small: Tokenizer) -> None:
    messages = [user("one"), assistant("1"), user("x" * 500), assistant("so")]
    with pytest.raises(PromptTooLongError, match=r"has 5\d\d tokens, but at most 100 fit"):
        fit(OPENCODER, small, messages, 100)
