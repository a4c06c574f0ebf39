"""
Typists before an engine that is only reckoned with: its schedule is real, its steps take no time.

Scheduler, slots and the loop over steps are the engine's own; in the model's place stands a runner
that says what a step would have cost, and moves a clock on by that. So an hour of many typists
passes in seconds, the same each time.
"""

import functools
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from opencoder_lsp.bench.chats import Chats
from opencoder_lsp.bench.costs import Costs
from opencoder_lsp.bench.load import Load
from opencoder_lsp.bench.typist import Ask, Typing
from opencoder_lsp.engine.generation import Generation
from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.request import CHAT, Event, Finish, Params, Request, Sink
from opencoder_lsp.engine.step import Outcome, Work
from opencoder_lsp.engine.text import TextStream

Asks = Iterator[tuple[Ask, list[int]]]
Questions = Iterator[tuple[float, list[int]]]
_TOKEN = 0  # whatever the model would have said


@dataclass(frozen=True, slots=True)
class Shape:
    """An engine: its costs, its slots, prompt tokens of a step, and requests that may wait."""

    costs: Costs
    slots: int
    chunk: int
    queue: int


class Simulation:
    """Some typists and one engine, for one run."""

    def __init__(self, typing: Typing, shape: Shape, chats: Chats | None = None) -> None:
        self._typing = typing
        self._chats = chats or Chats()
        self._shape = shape
        self._now = 0.0
        self._end = 0.0
        self._load = Load(0, 0)
        self._unfinished = 0
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._generation = Generation(
            _Runner(shape.slots, self._compute),
            PrefixIndex(_Silence(), 0),
            shape.chunk,
            Counter(),
            self._one_ended,
            lookup=False,
            clock=lambda: self._now,
        )

    def run(self, typists: int, seconds: float) -> Load:
        """Let them type, and chat, so long, and the engine answer what was asked until then."""
        self._load, self._end = Load(typists, seconds, busy=0.0), seconds
        for number in range(typists):
            wait, asks = self._typing.typist(number)
            self._at(wait, functools.partial(self._ask, asks, first=True))
            self._wonder(self._chats.of(number))
        while True:
            while self._events and self._events[0][0] <= self._now:
                heapq.heappop(self._events)[2]()
            if not self._generation.idle:
                self._generation.step()
            elif self._events:
                self._now = self._events[0][0]
            else:
                return self._load

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), act))

    def _ask(self, asks: Asks, *, first: bool = False) -> None:
        """Let a typist ask what comes next, unless the time is over."""
        if self._now >= self._end:
            return
        began, (ask, prompt) = self._now, next(asks)
        self._load.asked += 1
        if self._is_full:
            self._load.refuse(ask)
            self._at(began + ask.gap, functools.partial(self._ask, asks))
            return

        def hear(event: Event) -> None:
            if ask.left is None and isinstance(event, Finish):
                end = self._now + self._shape.costs.request
                if not first:
                    self._load.read(end - began, event.prompt_tokens, event.cached_tokens)
                self._at(end + ask.gap, functools.partial(self._ask, asks))

        request = self._add(prompt, Params(max_tokens=ask.tokens), hear)
        if ask.left is not None:
            self._load.left += 1
            self._at(began + ask.left, functools.partial(_leave, request))
            self._at(began + ask.gap, functools.partial(self._ask, asks))

    def _wonder(self, questions: Questions) -> None:
        """Let a typist ask a chat after a while, if he ever does."""
        for wait, prompt in itertools.islice(questions, 1):
            self._at(self._now + wait, functools.partial(self._chat, questions, prompt))

    def _chat(self, questions: Questions, prompt: list[int]) -> None:
        if self._now >= self._end:
            return
        if self._is_full:
            self._load.refused += 1
            self._wonder(questions)
            return
        began = self._now

        def hear(event: Event) -> None:
            if isinstance(event, Finish):
                self._load.chats.append(self._now + self._shape.costs.request - began)
                self._wonder(questions)

        self._add(prompt, Params(max_tokens=self._chats.tokens, priority=CHAT), hear)

    @property
    def _is_full(self) -> bool:
        return self._unfinished >= self._shape.slots + self._shape.queue

    def _add(self, prompt: list[int], params: Params, hear: Sink) -> Request:
        context = len(prompt) + params.max_tokens
        request = Request("", prompt, params, TextStream(_Silence()), hear, context)
        self._unfinished += 1
        self._generation.add(request)
        return request

    def _one_ended(self) -> None:
        self._unfinished -= 1

    def _compute(self, works: Sequence[Work]) -> None:
        """Do a step: time passes."""
        seconds = self._shape.costs.seconds(len(works), sum(work.count for work in works))
        self._now += seconds
        if self._now <= self._end:
            assert self._load.busy is not None
            self._load.busy += seconds


class _Runner:
    """The engine's `Runner` without a model."""

    def __init__(self, slots: int, compute: Callable[[Sequence[Work]], None]) -> None:
        self.slots = slots
        self._compute = compute

    def copy(self, source: int, target: int, rows: int) -> None:
        """Copy rows, which is little beside a step."""

    def step(self, works: Sequence[Work]) -> list[Outcome]:
        """Give the token that is asked for."""
        self._compute(works)
        return [_TOKEN if work.sample else None for work in works]


class _Silence:
    """A vocabulary in which no token is any text; it is its own decoder."""

    vocab_size = 0

    def encode(self, text: str) -> Sequence[int]:
        return ()

    def token_bytes(self, id: int) -> bytes:
        return b""

    def decoder(self) -> "_Silence":
        return self

    def push(self, id: int) -> str:
        return ""

    def finish(self) -> str:
        return ""


def _leave(request: Request) -> None:
    request.cancelled = True


def carried(simulate: Callable[[int], Load], limit: float, most: int) -> int:
    """
    Return the largest number of typists, up to `most`, whose p95 is within `limit` seconds.

    It is taken for granted that more typists never wait less.
    """
    good, bad = 0, 1
    while bad <= most and simulate(bad).p95 <= limit:
        good, bad = bad, 2 * bad
    bad = min(bad, most + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        if simulate(middle).p95 <= limit:
            good = middle
        else:
            bad = middle
    return good
