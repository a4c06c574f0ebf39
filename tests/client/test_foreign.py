"""Other makers' servers: what each kind is asked, and that its answers are as our engine's."""

from dataclasses import replace

import pytest
from starlette.responses import JSONResponse

from opencoder_lsp.client.dialects import grammar, regex
from opencoder_lsp.client.engine import Completer, EngineClient, Usage
from opencoder_lsp.client.vocabulary import speaking
from opencoder_lsp.errors import EngineError
from tests.client.completers import (
    END_OF_TEXT,
    END_OF_TURN,
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


@every()
async def test_the_prompts_ids_go_out_as_they_are(remote: Remote, completer: Completer) -> None:
    remote.say("x): return", "<|endoftext|>")
    assert await ask(completer) == "x): return"
    (body,) = remote.completions
    assert body["prompt"] == PROMPT
    assert body["stream"] is True


@every(WITH_IDS)
async def test_an_answer_ends_at_a_stop_id_that_is_not_the_servers_own(
    remote: Remote, completer: Completer
) -> None:
    remote.say_ids([*TOKENIZER.encode("pass"), END_OF_TURN, *TOKENIZER.encode(" and on " * 9)])
    async with completer.complete(REQUEST) as stream:
        assert "".join([piece async for piece in stream]) == "pass"
    assert stream.finish_reason == "stop"
    assert stream.usage is not None
    assert stream.usage.completion_tokens == len(TOKENIZER.encode("pass")) + 1


@every(("llama-server",))
async def test_a_server_that_knows_no_stop_ids_is_left_at_one(
    remote: Remote, completer: Completer
) -> None:
    remote.say_ids([*TOKENIZER.encode("pass"), END_OF_TURN, *TOKENIZER.encode(" and on " * 999)])
    assert await ask(completer, replace(REQUEST, max_tokens=10_000)) == "pass"
    await remote.until(lambda: remote.left == 1)
    assert "stop_token_ids" not in remote.completions[0]


@every()
async def test_the_end_of_the_servers_own_model_is_a_stop(
    remote: Remote, completer: Completer
) -> None:
    remote.say("pass", "<|endoftext|>")
    async with completer.complete(REQUEST) as stream:
        assert "".join([piece async for piece in stream]) == "pass"
    assert stream.finish_reason == "stop"


@every()
async def test_an_answer_that_is_cut_off_says_so(remote: Remote, completer: Completer) -> None:
    remote.say("one two three")
    async with completer.complete(replace(REQUEST, max_tokens=4)) as stream:
        assert "".join([piece async for piece in stream]) == "one "
    assert stream.finish_reason == "length"
    assert stream.usage == Usage(len(PROMPT), 4, cached_tokens=3)


@every()
async def test_characters_of_several_tokens_arrive_whole(
    remote: Remote, completer: Completer
) -> None:
    text = "größe = '汉字🎉'\r\n"
    remote.say(text, "<|endoftext|>")
    assert await ask(completer) == text


@every()
async def test_stop_strings_end_an_answer_and_the_servers_work(
    remote: Remote, completer: Completer
) -> None:
    remote.say("one\ntwo\nthree" + "!" * 50)
    remote.pause_after(7)
    async with completer.complete(replace(REQUEST, stop=["\ntw"])) as stream:
        assert "".join([piece async for piece in stream]) == "one"
    assert stream.finish_reason == "stop"
    await remote.until(lambda: remote.left == 1)


@pytest.mark.parametrize(
    ("remote", "sent"), [("vLLM", [1]), ("llama-server", [0]), ("other", [])], indirect=["remote"]
)
async def test_warming_is_asked_for_only_where_it_is_one(
    remote: Remote, completer: Completer, sent: list[int]
) -> None:
    request = replace(REQUEST, max_tokens=0, forced_prefix="ret", priority=20, n=1)
    remote.say("x")
    assert await ask(completer, request) == ""
    asked = [body.get("max_tokens", body.get("n_predict")) for body in remote.completions]
    assert asked == sent
    assert not any("grammar" in body or "structured_outputs" in body for body in remote.completions)


@every()
async def test_several_answers_are_several_requests_with_seeds_of_their_own(
    remote: Remote, completer: Completer
) -> None:
    for text in ("one", "two", "six"):
        remote.say(text, "<|endoftext|>")
    request = replace(REQUEST, n=3, seed=5, temperature=0.8)
    texts = ["", "", ""]
    async with completer.complete(request) as stream:
        async for piece in stream.pieces:
            texts[piece.index] += piece.text
    assert sorted(texts) == ["one", "six", "two"]
    assert stream.finish_reasons == {0: "stop", 1: "stop", 2: "stop"}
    assert sorted(body["seed"] for body in remote.completions) == [5, 6, 7]
    assert all(body.get("n", 1) == 1 for body in remote.completions)
    assert stream.usage is not None
    assert stream.usage.prompt_tokens == len(PROMPT)


@every()
async def test_of_several_answers_one_that_fails_ends_all(
    remote: Remote, completer: Completer
) -> None:
    remote.pause_after(1)
    remote.say("one")
    remote.fail(JSONResponse({"error": {"message": "no luck"}}, 500))
    with pytest.raises(EngineError, match="no luck"):
        async with completer.complete(replace(REQUEST, n=2)) as stream:
            _ = [piece async for piece in stream.pieces]
    await remote.until(lambda: remote.left == 1)


@every(WITH_IDS)
async def test_probabilities_are_named_as_our_engine_names_them(
    remote: Remote, completer: Completer
) -> None:
    remote.say("é", "<|endoftext|>")
    async with completer.complete(replace(REQUEST, logprobs=1)) as stream:
        pieces = [piece async for piece in stream.pieces]
    scored = [piece.logprobs for piece in pieces if piece.logprobs]
    assert scored[-1].token_logprobs == [-0.5]
    if remote.kind == "vLLM":
        assert scored[0].tokens == ["bytes:\\xc3"]
        assert scored[0].top_logprobs == [{"bytes:\\xc3": -0.5}]
        assert scored[-1].tokens == [f"token_id:{END_OF_TEXT}"]
    else:
        assert scored[0].tokens == ["bytes:\\xa9"]


async def test_servers_defaults_do_not_change_an_answer() -> None:
    async with Remote("vLLM", TOKENIZER) as remote, Remote("llama-server", TOKENIZER) as llama:
        for one in (remote, llama):
            client = EngineClient(one.url)
            await client.health()
            completer, _ = await speaking(client, TOKENIZER, [])
            one.say("x")
            await ask(completer, replace(REQUEST, priority=10))
            await client.close()
    sent = remote.completions[0]
    assert (sent["min_p"], sent["repetition_penalty"], sent["top_k"]) == (0, 1, 0)
    assert (sent["ignore_eos"], sent["priority"], sent["model"]) == (True, 10, "their-model")
    assert sent["stop_token_ids"] == [END_OF_TURN, END_OF_TEXT]
    sent = llama.completions[0]
    assert "min_p" not in sent["samplers"]
    assert (sent["repeat_penalty"], sent["cache_prompt"], sent["return_tokens"]) == (1, True, True)


@every(("vLLM",))
async def test_a_vllm_without_token_ids_is_named_as_too_old(
    remote: Remote, completer: Completer
) -> None:
    remote.version = "0.0"
    remote.say("x")
    with pytest.raises(EngineError, match=r"version 0\.11 or newer"):
        await ask(completer)


def test_constraints_are_of_the_prefix_and_of_nothing_else() -> None:
    assert regex("a.b\n\t(") == r"a\.b\u000a\u0009\([\s\S]*"
    assert grammar('é"\\\n') == r'root ::= "é\"\\\x0a" rest' "\nrest ::= [^\\x00]*\n"


@every()
async def test_a_client_may_leave_at_any_time(remote: Remote, completer: Completer) -> None:
    remote.pause_after(1)
    remote.say("one two three")
    async with completer.complete(REQUEST) as stream:
        async for _ in stream:
            break
    await remote.until(lambda: remote.left == 1)


async def test_a_prefix_with_half_a_character_is_sent_as_text() -> None:
    async with Remote("vLLM", TOKENIZER) as remote:
        client = EngineClient(remote.url)
        await client.health()
        completer, _ = await speaking(client, TOKENIZER, [])
        remote.say("\ufffdx")
        remote.say("y", "<|endoftext|>")
        request = replace(REQUEST, forced_prefix="\ud83d", stop_token_ids=[END_OF_TEXT])
        assert await ask(completer, request) == "\ufffdy"
        await client.close()
    assert remote.completions[0]["structured_outputs"]["regex"].startswith("\ufffd")
