"""Typists before a target that answers when it is told to, on a clock that waits for nobody."""

import asyncio
import dataclasses

import pytest

from opencoder_lsp.bench.chats import Chats
from opencoder_lsp.bench.load import Load
from opencoder_lsp.bench.replay import replay
from opencoder_lsp.bench.target import Timing
from opencoder_lsp.bench.typist import Ask, Typing
from opencoder_lsp.engine.request import CHAT
from opencoder_lsp.errors import EngineBusyError
from tests.fakes.clock_loop import run

READ = Ask(prompt=8, base=-1, kept=0, tokens=4, left=None, gap=2.0)
HASTY = Ask(prompt=9, base=0, kept=8, tokens=64, left=0.1, gap=0.5)


class Scripted:
    """Answers short requests in a second, and long ones never; or refuses all."""

    name, reuses, concurrent = "scripted", True, True

    def __init__(self, *, full: bool = False) -> None:
        self.asked: list[tuple[float, int, int]] = []  # moment, typist, tokens
        self.cancelled: list[float] = []
        self.chats: list[tuple[float, int, int]] = []  # moment, tokens of prompt and answer
        self._full = full

    async def ask(self, prompt: list[int], tokens: int, *, priority: int = 0) -> Timing:
        """See the class."""
        clock = asyncio.get_running_loop().time
        if priority == CHAT:
            self.chats.append((clock(), len(prompt), tokens))
            if self._full:
                raise EngineBusyError("full", 1.0)
            await asyncio.sleep(5.0)
            return Timing(0.5, 5.0, tokens)
        self.asked.append((clock(), prompt[0], tokens))
        if self._full:
            raise EngineBusyError("full", 1.0)
        try:
            await asyncio.sleep(1.0 if tokens == READ.tokens else 1000.0)
        except asyncio.CancelledError:
            self.cancelled.append(clock())
            raise
        return Timing(0.5, 1.0, tokens, cached=len(prompt) - 1)


def test_typists_chat_besides_and_one_question_waits_for_the_answer_to_the_other() -> None:
    target, chats = Scripted(), Chats(per_hour=360, prompt=50, tokens=9)
    load = run(lambda: replay(target, Typing([READ]), typists=2, seconds=1000, chats=chats))
    assert {(prompt, tokens) for _, prompt, tokens in target.chats} == {(50, 9)}
    assert load.chats == [5.0] * len(target.chats)
    # Ten seconds in the mean to a question, and five to its answer.
    assert len(load.chats) == pytest.approx(2 * 1000 / 15, rel=0.3)
    alone = run(lambda: replay(Scripted(), Typing([READ]), typists=2, seconds=1000))
    assert (load.asked, load.latencies) == (alone.asked, alone.latencies)


def test_a_chat_that_is_refused_is_counted_and_does_not_end_the_run() -> None:
    target, chats = Scripted(full=True), Chats(per_hour=360)
    load = run(lambda: replay(target, Typing([READ]), typists=1, seconds=100, chats=chats))
    assert load.refused == load.asked + len(target.chats) > load.asked
    assert load.chats == []


def loads(target: Scripted, *asks: Ask, typists: int) -> Load:
    return run(lambda: replay(target, Typing(asks), typists, seconds=100))


def test_answers_are_read_or_left_when_it_was_recorded() -> None:
    target = Scripted()
    load = loads(target, READ, HASTY, typists=1)
    moments = {tokens: [at for at, _, t in target.asked if t == tokens] for tokens in (4, 64)}
    assert target.cancelled == pytest.approx([at + 0.1 for at in moments[64]])
    # A whole round takes a second of answer, two of looking at it, and the half to the next key.
    for own in moments.values():
        assert [at - own[0] for at in own] == pytest.approx([3.5 * i for i in range(len(own))])
    assert load.left == len(moments[64]) == pytest.approx(100 / 3.5, abs=2)
    assert load.asked == len(target.asked)


def test_what_is_read_is_counted_but_for_each_typists_first_request() -> None:
    target = Scripted()
    known = dataclasses.replace(READ, base=0, kept=READ.prompt)
    load = loads(target, READ, *[known] * 99, typists=3)
    assert len({first for _, first, _ in target.asked}) == 3  # none of them comes to a second file
    assert len(load.latencies) == load.asked - 3
    assert set(load.latencies) == {1.0}
    assert load.cached == 7 / 8


def test_a_full_engine_is_noted_and_the_typist_goes_on() -> None:
    load = loads(Scripted(full=True), READ, typists=1)
    assert load.refused == load.asked == pytest.approx(50, abs=1)
    assert load.as_json()["p50_ms"] is None
