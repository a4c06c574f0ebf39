"""Typists before a real engine."""

import asyncio

from opencoder_lsp.bench.load import Load
from opencoder_lsp.bench.target import Target
from opencoder_lsp.bench.typist import Typing
from opencoder_lsp.errors import EngineBusyError


async def replay(target: Target, typing: Typing, typists: int, seconds: float) -> Load:
    """
    Let them type for so long, and the engine answer what was asked until then.

    Raises EngineError.
    """
    load = Load(typists, seconds)
    async with asyncio.TaskGroup() as group:
        for number in range(typists):
            group.create_task(_type(target, typing, number, load))
    return load


async def _type(target: Target, typing: Typing, number: int, load: Load) -> None:
    clock = asyncio.get_running_loop().time
    end = clock() + load.seconds
    wait, asks = typing.typist(number)
    await asyncio.sleep(wait)
    first = True
    for ask, prompt in asks:
        began = clock()
        if began >= end:
            return
        load.asked += 1
        try:
            async with asyncio.timeout(ask.left):
                answer = await target.ask(prompt, ask.tokens)
            if ask.left is None and not first:
                load.read(answer.total, len(prompt), answer.cached)
        except TimeoutError:
            pass  # left for a newer key
        except EngineBusyError:
            load.refuse(ask)
        first = False
        load.left += ask.left is not None
        await asyncio.sleep(ask.gap if ask.left is None else max(0.0, began + ask.gap - clock()))
