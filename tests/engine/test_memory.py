"""The memory of a process that has answered thousands of requests is that of one that begins."""

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
import torch

from opencoder_lsp.engine.core import Loaded, Report
from opencoder_lsp.engine.healing import PrefixIndex
from tests.engine.conftest import Serve, Served
from tests.engine.test_runner import VOCABULARY, make_runner
from tests.fakes.checkpoints import CONTEXT, make_model
from tests.fakes.runner import LETTERS

FIRST, MANY = 400, 2000  # requests
AT_ONCE = 8


@asynccontextmanager
async def tiny(served: Serve) -> AsyncIterator[Served]:
    """Serve a tiny model over a Unix socket, as the process would."""
    model = Loaded(
        runner=make_runner(make_model(vocab_size=VOCABULARY)),
        vocabulary=LETTERS,
        prefixes=PrefixIndex(LETTERS, VOCABULARY),
        vocab_size=VOCABULARY,
        context_length=CONTEXT,
        chunk=64,
        prompt_tokens_auto=128,
        device="cpu",
        dtype="float32",
    )

    def load(report: Report) -> Loaded:
        report(1.0)
        return model

    async with served(load=load, queue=100) as engine:
        yield engine


def body(chance: random.Random) -> dict[str, Any]:
    """Make a small request of any kind."""
    return {
        "prompt": [chance.randrange(256) for _ in range(chance.choice([3, 20, 60]))],
        "max_tokens": chance.choice([0, 1, 3, 6]),
        "temperature": chance.choice([0, 0, 1]),
        "seed": chance.randrange(1000),
        "n": chance.choice([1, 1, 1, 2]),
        "logprobs": chance.choice([None, 2]),
        "presence_penalty": chance.choice([0, 1]),
        "priority": chance.choice([0, 10, 20]),
        "stream": chance.choice([False, True]),
    }


async def send(engine: Served, count: int, chance: random.Random) -> None:
    """Send so many requests, some at once, and leave some before their end."""

    async def one_after_the_other() -> None:
        for _ in range(count // AT_ONCE):
            async with engine.post(**body(chance)) as response:
                assert response.status == 200
                if chance.random() < 0.9:
                    await response.read()

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    await engine.until_unfinished(0)


def memory() -> tuple[int, int, int]:
    """Return the process's resident bytes, and the numbers of its objects and tensors."""
    gc.collect()
    objects = gc.get_objects()
    # By the type alone: to some objects of other libraries `isinstance` is a reason to import.
    tensors = sum(issubclass(type(one), torch.Tensor) for one in objects)
    return psutil.Process().memory_info().rss, len(objects), tensors


@pytest.mark.fault("F47")
async def test_memory_is_the_same_before_and_after_2000_requests(served: Serve) -> None:
    chance = random.Random(0)
    async with tiny(served) as engine:
        await send(engine, FIRST, chance)
        before = memory()
        await send(engine, MANY, chance)
        after = memory()
        assert engine.status.totals["requests_failed"] == 0
        assert engine.status.totals["requests_cancelled"] > 0
    assert after[0] <= 1.02 * before[0]
    assert after[1] <= before[1] + MANY / 10  # not one object for each tenth request
    assert after[2] <= before[2] + MANY / 100
