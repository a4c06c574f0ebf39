"""Prefixes that an answer has to begin with, at other makers' servers."""

from dataclasses import replace

from opencoder_lsp.client.engine import Completer
from tests.client.completers import (
    PROMPT,
    REQUEST,
    TOKENIZER,
    WITH_IDS,
    ask,
    completer,
    every,
    remote,
)
from tests.fakes.remote import Remote

__all__ = ["completer", "remote"]


@every(WITH_IDS)
async def test_a_forced_prefix_is_a_constraint_and_the_rest_is_free_of_it(
    remote: Remote, completer: Completer
) -> None:
    remote.say("  return nothing of this")
    remote.say(" 1", "<|end_of_turn|>")
    request = replace(REQUEST, forced_prefix="  ret")
    assert await ask(completer, request) == "  return 1"
    first, second = remote.completions
    assert first["prompt"] == PROMPT
    assert "structured_outputs" in first or "grammar" in first
    made = TOKENIZER.encode("  return")
    assert second["prompt"] == [*PROMPT, *made]
    assert "structured_outputs" not in second
    assert "grammar" not in second
    assert (second.get("n_predict") or second.get("max_tokens")) == 64 - len(made)


@every(WITH_IDS)
async def test_a_forced_prefix_may_have_characters_of_several_tokens(
    remote: Remote, completer: Completer
) -> None:
    remote.say("größen ")
    remote.say("= 1", "<|end_of_turn|>")
    assert await ask(completer, replace(REQUEST, forced_prefix="größe")) == "größe= 1"
    second = remote.completions[1]
    made = TOKENIZER.encode("größe")
    assert second["prompt"] == [*PROMPT, *made]
    assert (second.get("n_predict") or second.get("max_tokens")) == 64 - len(made)


@every(WITH_IDS)
async def test_all_tokens_count_that_the_server_has_made_of_a_forced_prefix(
    remote: Remote, completer: Completer
) -> None:
    prefix = "größe return"
    singly = [id for character in prefix for id in TOKENIZER.encode(character)]
    assert len(singly) > len(TOKENIZER.encode(prefix))  # it makes them as a constraint lets it
    remote.say_ids([*singly, *TOKENIZER.encode(" ")])
    remote.say("= 1" * 60)
    request = replace(REQUEST, forced_prefix=prefix)
    async with completer.complete(request) as stream:
        text = "".join([piece async for piece in stream])
    second = remote.completions[1]
    room = request.max_tokens - len(singly)
    assert (second.get("n_predict") or second.get("max_tokens")) == room
    assert text == prefix + ("= 1" * 60)[: len(text) - len(prefix)]
    assert stream.finish_reason == "length"
    assert stream.usage is not None
    assert stream.usage.completion_tokens == request.max_tokens


@every(("other",))
async def test_where_nothing_can_be_forced_the_prefix_is_in_the_prompt(
    remote: Remote, completer: Completer
) -> None:
    remote.say("urn 1", "<|endoftext|>")
    assert await ask(completer, replace(REQUEST, forced_prefix="  ret")) == "  return 1"
    (body,) = remote.completions
    assert body["prompt"] == [*PROMPT, *TOKENIZER.encode("  ret")]
    assert "forced_prefix" not in body


@every(WITH_IDS)
async def test_an_end_within_the_forced_prefix_is_the_end(
    remote: Remote, completer: Completer
) -> None:
    remote.say("ret")
    request = replace(REQUEST, forced_prefix="return", max_tokens=3)
    async with completer.complete(request) as stream:
        assert "".join([piece async for piece in stream]) == "ret"
    assert stream.finish_reason == "length"
    assert len(remote.completions) == 1
