"""Typists before a real engine."""

import asyncio
from typing import Protocol

from opencoder_lsp.bench.chats import Chats
from opencoder_lsp.bench.load import Load
from opencoder_lsp.bench.target import Timing
from opencoder_lsp.bench.typist import Typing
from opencoder_lsp.engine.request import CHAT
from opencoder_lsp.errors import EngineBusyError

NO_CHATS = Chats()


class Engine(Protocol):
    """What is typed on; see `bench.target.Server`."""

    async def ask(self, prompt: list[int], tokens: int, *, priority: int = 0) -> Timing:
        """Generate that many tokens; raises EngineError."""
        ...


async def replay(
    target: Engine, typing: Typing, typists: int, seconds: float, chats: Chats = NO_CHATS
) -> Load:
    """
    Let them type, and chat, for so long, and the engine answer what was asked until then.

    Raises EngineError.
    """
    load = Load(typists, seconds)
    async with asyncio.TaskGroup() as group:
        for number in range(typists):
            group.create_task(_type(target, typing, number, load))
            group.create_task(_chat(target, chats, number, load))
    return load


async def _chat(target: Engine, chats: Chats, number: int, load: Load) -> None:
    clock = asyncio.get_running_loop().time
    end = clock() + load.seconds
    for wait, prompt in chats.of(number):
        if clock() + wait >= end:
            return
        await asyncio.sleep(wait)
        try:
            load.chats.append((await target.ask(prompt, chats.tokens, priority=CHAT)).total)
        except EngineBusyError:
            load.refused += 1


async def _type(target: Engine, typing: Typing, number: int, load: Load) -> None:
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
