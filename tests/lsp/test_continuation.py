"""A stream behind its forced prefix, and the limits of the prompt."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.client.connection import Engine
from opencoder_lsp.client.engine import CompletionStream, EngineClient
from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.continuation import EngineContinuation, EngineSource
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.conversation import TEMPLATES, stop_ids
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import CompletionSettings
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder


class Pieces:
    """What EngineContinuation reads of a stream."""

    finish_reason = "stop"

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[str]:
        for piece in self._pieces:
            yield piece


async def text_of(pieces: list[str], forced: str) -> str:
    stream = cast(CompletionStream, Pieces(pieces))
    return "".join([text async for text in EngineContinuation(stream, forced)])


@given(st.text(max_size=8), st.text(max_size=8), st.lists(st.integers(0, 16), max_size=4))
async def test_the_forced_prefix_is_taken_off_however_the_stream_is_cut(
    forced: str, rest: str, cuts: list[int]
) -> None:
    whole = forced + rest
    places = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    pieces = [whole[a:b] for a, b in zip(places, places[1:], strict=False)]
    assert await text_of(pieces, forced) == rest


async def test_an_answer_with_another_beginning_has_no_text() -> None:
    assert await text_of(["retur", "x a"], "return") == ""
    assert await text_of(["something"], "\n    ") == ""


@pytest.fixture
async def engine(tmp_path: Path, fake: FakeEngine) -> AsyncIterator[Engine]:
    tokenizer = Tokenizer.load(make_tokenizer_folder(tmp_path / "model"))
    template = TEMPLATES["chatml"]
    client = EngineClient(fake.url)
    ids = stop_ids(template, tokenizer)
    yield Engine(client, tokenizer, template, ids, context_length=2048, prompt_tokens=256)
    await client.close()


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        yield fake


def source(engine: Engine, **settings: Any) -> EngineSource:
    async def ready() -> Engine:
        return engine

    return EngineSource(ready, lambda: CompletionSettings(**settings))


LONG = Place("a.py", "python", "value = 1\n" * 5000 + "x = comp", "\n" + "y = 2\n" * 500)


async def test_the_prompt_is_as_long_as_the_engine_is_fast(
    engine: Engine, fake: FakeEngine
) -> None:
    async with source(engine)(LONG):
        pass
    body = await fake.requested()
    assert 128 < len(body["prompt"]) <= 256
    assert body["forced_prefix"] == " comp"
    assert body["max_tokens"] == 64 + len(engine.tokenizer.encode(" comp"))
    assert body["stop_token_ids"] == engine.stop_ids
    assert "priority" not in body


async def test_the_prompt_is_as_long_as_the_setting_says_where_it_says_so(
    engine: Engine, fake: FakeEngine
) -> None:
    async with source(engine, prompt_tokens=700, max_tokens=10)(LONG):
        pass
    assert 350 < len((await fake.requested())["prompt"]) <= 700


@pytest.mark.fault("F44")
async def test_prompt_and_answer_together_fit_the_context(engine: Engine, fake: FakeEngine) -> None:
    async with source(engine, prompt_tokens=100_000)(LONG):
        pass
    body = await fake.requested()
    assert len(body["prompt"]) + body["max_tokens"] <= 2048


async def test_settings_that_leave_no_room_for_a_prompt_are_an_error(engine: Engine) -> None:
    with pytest.raises(PromptError, match="completion.max_tokens is 1024"):
        async with source(replace(engine, context_length=1100), max_tokens=1024)(LONG):
            pass


async def test_leaving_the_block_ends_the_engine_s_work(engine: Engine, fake: FakeEngine) -> None:
    fake.pause_after(1)
    async with source(engine)(LONG):
        await fake.paused()
    await fake.cancelled()


async def test_what_nobody_waits_for_makes_way_for_everything_else(
    engine: Engine, fake: FakeEngine
) -> None:
    async with source(engine)(LONG, ahead=True):
        pass
    assert (await fake.requested())["priority"] == 20


async def test_filling_the_memory_generates_nothing(engine: Engine, fake: FakeEngine) -> None:
    await source(engine).warm(LONG)
    body = await fake.requested()
    async with source(engine)(LONG):
        pass
    assert (body["max_tokens"], body["priority"]) == (0, 20)
    assert body["prompt"] == (await fake.requested(2))["prompt"]


async def test_several_answers_are_read_side_by_side_without_their_forced_prefix(
    engine: Engine, fake: FakeEngine
) -> None:
    fake.answer("ute(1)", others=["are(2)"])
    texts = ["", ""]
    async with source(engine).several(LONG, 2) as pieces:
        async for number, piece in pieces:
            texts[number] += piece
        assert pieces.finish_reasons == {0: "stop", 1: "stop"}
    assert texts == ["ute(1)", "are(2)"]
    body = await fake.requested()
    assert (body["n"], body["forced_prefix"]) == (2, " comp")
    assert 0.5 <= body["temperature"] <= 1
    assert body["seed"] == 1


async def test_one_of_several_answers_with_another_beginning_has_no_text(
    engine: Engine, fake: FakeEngine
) -> None:
    fake.answer(" something else", others=[" computed"], exact=True)
    async with source(engine).several(LONG, 2) as pieces:
        assert [piece async for piece in pieces] == [(1, "uted")]
