"""Which model of another maker's server is asked, where it lists several."""

from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.errors import EngineError
from tests.client.fronts import END, TOKENIZER, Front, model, vllm
from tests.fakes.remote import Remote

__all__ = ["model", "vllm"]

Cards = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("cards", "asked"),
    [
        ([{"id": "whatever"}], "whatever"),
        ([{"id": "other", "root": "/other"}, {"id": "org/Tiny", "root": "/tiny"}], "org/Tiny"),
        ([{"id": "fast", "root": "/coder"}, {"id": "coder", "root": "/coder"}], "fast"),
        ([{"id": "coder", "root": "/c"}, {"id": "sql", "root": "/s", "parent": "coder"}], "coder"),
    ],
    ids=["the only one", "the one of our name", "either of its names", "the one that is adapted"],
)
async def test_the_model_that_is_meant_is_asked(
    vllm: Remote, model: Path, cards: Cards, asked: str
) -> None:
    vllm.cards = cards
    vllm.say("x", "<|im_end|>")
    front = Front(model, vllm.url)
    assert await front.ask() == "x"
    assert [body["model"] for body in vllm.completions] == [asked]
    await front.connection.close()


async def test_of_several_without_our_name_none_is_guessed(vllm: Remote, model: Path) -> None:
    vllm.cards = [{"id": "coder"}, {"id": "talker"}]
    front = Front(model, vllm.url)
    with pytest.raises(EngineError, match=r"\(coder, talker\), .* \(tiny\): set model\.name"):
        await front.engine()
    assert vllm.completions == []
    await front.connection.close()


async def test_a_server_without_models_is_none(model: Path) -> None:
    async with Remote("other", TOKENIZER, end=END) as remote:
        remote.cards = []
        front = Front(model, remote.url)
        with pytest.raises(EngineError, match="is not an engine"):
            await front.engine()
        await front.connection.close()
