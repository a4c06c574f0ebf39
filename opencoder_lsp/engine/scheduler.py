"""
Who is computed next. Pure Python on requests and ints.

One step takes one token of every running request, and a chunk of prompt tokens of the most urgent
ones. While a request of better priority is at work, the prompts of worse ones wait: a long chat
prompt holds a completion back by the one chunk in flight, never more, and where all slots are taken
the worst request gives up its own: it waits, and goes on from the rows that are left of it. What
runs in the background (warming, speculation) rests altogether while others are at work.
Among equals it is the order of arrival that counts, also for whoever lost a slot.
"""

import heapq
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from opencoder_lsp.engine.request import BACKGROUND, COMPLETION, Request, State
from opencoder_lsp.engine.slots import SlotTable
from opencoder_lsp.engine.step import Copy, Work

_CHUNK_LEAST, _CHUNK_MOST = 256, 2048  # tokens; shorter ones cost much of the prefill's speed


def chunk_tokens(half_second: int) -> int:
    """
    Return how many prompt tokens a step takes where half a second is enough for `half_second`.

    It is about a quarter of a second, as a power of two.
    """
    return max(_CHUNK_LEAST, min(_CHUNK_MOST, 1 << (half_second // 2 - 1).bit_length()))


@dataclass(slots=True)
class Plan:
    """What to do next: rows to copy first, then one step; `ready` needs neither."""

    copies: list[Copy] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    ready: list[Request] = field(default_factory=list)

    @property
    def requests(self) -> list[Request]:
        """Everyone who is in it."""
        everyone = [copy.request for copy in self.copies]
        everyone += [work.request for work in self.works]
        return list(dict.fromkeys(everyone + self.ready))


class Scheduler:
    """Waiting and running requests, and the slots that the latter hold."""

    def __init__(self, slots: SlotTable, chunk: int) -> None:
        """
        `chunk` is the number of a completion's prompt tokens in one step.

        Of others it is half as many, since something more urgent may come.
        """
        self._slots = slots
        self._chunk = chunk
        self._waiting: list[tuple[int, int, Request]] = []
        self._arrivals = itertools.count()
        self._running: list[Request] = []

    @property
    def running(self) -> int:
        """Number of requests that hold a slot."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a slot."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Request]:
        """Iterate over every request that has not ended."""
        yield from self._running
        yield from (request for *_, request in self._waiting)

    def add(self, request: Request) -> None:
        """Let a new request wait for its turn."""
        request.arrival = next(self._arrivals)
        self._wait(request)

    def remove(self, request: Request, *, keep_rows: bool = True) -> None:
        """Take out a request that ends; its slot keeps what was computed unless told otherwise."""
        if request.slot >= 0:
            self._running.remove(request)
            if not keep_rows:
                self._slots.forget(request.slot)
            self._slots.release(request.slot)
            request.slot = -1
        else:
            self._waiting = [entry for entry in self._waiting if entry[2] is not request]
            heapq.heapify(self._waiting)

    def advance(self, work: Work, drafted: int = 0) -> None:
        """Note that the rows of a piece of work, and of its first `drafted` guesses, are right."""
        request = work.request
        request.computed = work.start + work.count + drafted
        self._slots.grow(request.slot, request.computed)

    def plan(self) -> Plan:
        """Give slots to those who wait and say what is computed next; an empty plan is rest."""
        plan = Plan()
        while self._waiting and self._may_enter(self._waiting[0][0]):
            self._admit(heapq.heappop(self._waiting)[2], plan)
        urgent = self._urgent
        budget = self._chunk if urgent == COMPLETION else max(1, self._chunk // 2)
        for request in sorted(self._running, key=_turn):
            if request.remaining == 0:
                plan.ready.append(request)
            elif request.remaining == 1 and request.output_tokens:
                if request.params.priority < BACKGROUND or request.params.priority == urgent:
                    plan.works.append(self._work(request, 1))
            elif request.params.priority == urgent and budget > 0:
                plan.works.append(self._work(request, min(request.remaining, budget)))
                budget -= plan.works[-1].count
        return plan

    @property
    def _urgent(self) -> int:
        """The best priority of those who run; worse than any where nobody does."""
        return min((request.params.priority for request in self._running), default=sys.maxsize)

    def _wait(self, request: Request) -> None:
        heapq.heappush(self._waiting, (*_turn(request), request))

    def _may_enter(self, priority: int) -> bool:
        """Tell whether the first of those who wait gets a slot, which there is afterwards."""
        if priority >= BACKGROUND and priority > self._urgent:
            return False  # it would only take somebody's rows and rest
        return self._slots.free > 0 or self._preempt(priority)

    def _work(self, request: Request, count: int) -> Work:
        last = count == request.remaining and request.params.max_tokens > 0
        return Work(request, request.computed, count, sample=last)

    def _admit(self, request: Request, plan: Plan) -> None:
        # The last token is computed in any case where the next one is wanted.
        limit = len(request.ids) - (1 if request.params.max_tokens else 0)
        place = self._slots.take(request.ids, limit)
        if place.copy_from is not None:
            plan.copies.append(Copy(request, place.copy_from, place.cached))
        request.slot, request.computed, request.state = place.slot, place.cached, State.RUNNING
        if request.cached is None:
            request.cached = place.cached
        self._running.append(request)

    def _preempt(self, priority: int) -> bool:
        """Send the worst request back to its place in the queue, for a more urgent one."""
        worst = max(self._running, key=_turn)
        if priority >= worst.params.priority:
            return False
        self.remove(worst)
        worst.state = State.WAITING
        self._wait(worst)
        return True


def _turn(request: Request) -> tuple[int, int]:
    return request.params.priority, request.arrival
