"""One step after the other: what the engine thread does once the model is loaded."""

import functools
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.lookup import Lookup
from opencoder_lsp.engine.request import OverdueError, Reason, Request
from opencoder_lsp.engine.scheduler import Scheduler
from opencoder_lsp.engine.slots import SlotTable
from opencoder_lsp.engine.step import (
    Copy,
    DeviceLostError,
    Outcome,
    OutOfMemoryError,
    Runner,
    Token,
    Work,
)
from opencoder_lsp.errors import EngineError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Generation:
    """Every request that has not ended, and the runner that they share. For one thread."""

    def __init__(
        self,
        runner: Runner,
        prefixes: PrefixIndex,
        chunk: int,
        totals: Counter[str],
        ended: Callable[[], None],
        *,
        lookup: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        `chunk` is in prompt tokens per step; `ended` is called after the end of each request;
        `lookup` drafts tokens from the prompt; `clock` is that of the requests' deadlines.
        """
        self._runner = runner
        self._prefixes = prefixes
        self._scheduler = Scheduler(SlotTable(runner.slots), chunk)
        self._totals = totals
        self._ended = ended
        self._lookup = lookup
        self._clock = clock

    @property
    def running(self) -> int:
        """Number of requests that hold a slot."""
        return self._scheduler.running

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._scheduler.running + self._scheduler.waiting == 0

    def add(self, request: Request) -> None:
        """Take a new request."""
        self._scheduler.add(request)

    def step(self) -> None:
        """
        Drop who has gone or is overdue, then do at most one forward pass.

        Raises DeviceLostError, after failing everybody, when no later step can succeed.
        """
        self._drop()
        plan = self._scheduler.plan()
        if plan.copies:  # first of all, since others may copy from these slots or end in them
            self._attempt(plan.requests, functools.partial(self._copy, plan.copies))
        works = [work for work in plan.works if work.request.slot >= 0 and self._prepare(work)]
        if works:
            if self._lookup and len(works) == 1:  # more of them fill the step anyway
                self._draft(works[0])
            self._run(works)
        for request in plan.ready:
            if request.slot >= 0:
                self._finish(request, "length")

    def fail_all(self, error: EngineError) -> None:
        """End everything, since the thread ends."""
        for request in list(self._scheduler):
            self._fail(request, error)

    def _drop(self) -> None:
        now = self._clock()
        for request in list(self._scheduler):
            if request.cancelled:
                self._finish(request, "cancelled")
            elif request.deadline <= now:
                error = OverdueError(
                    "the request took longer than engine.request_seconds allows; raise it, or ask "
                    "for less"
                )
                self._fail(request, error, keep_rows=True)

    def _prepare(self, work: Work) -> bool:
        request = work.request
        if work.sample and request.forced_left:
            work.allowed = self._prefixes.allowed(request.forced_left)
            if not work.allowed:
                self._fail(request, EngineError("no token of this model begins the forced prefix"))
                return False
        return True

    def _draft(self, work: Work) -> None:
        """Guess what follows, where plain greedy decoding is to give a token."""
        request = work.request
        if not work.sample or not request.params.plain_greedy or request.forced_left:
            return
        if request.lookup is None:
            request.lookup = Lookup(request.ids)
        # The step gives one token more than are drafted.
        work.draft = request.lookup.draft(request.most_tokens - 1, request.params.stop_ids)

    def _copy(self, copies: Sequence[Copy]) -> None:
        for copy in copies:
            self._runner.copy(copy.source, copy.request.slot, copy.rows)

    def _run(self, works: Sequence[Work]) -> None:
        requests = [work.request for work in works]
        done = self._attempt(requests, functools.partial(self._compute, works))
        for work, outcome in done or ():
            self._deliver(work, outcome)

    def _compute(self, works: Sequence[Work]) -> list[tuple[Work, Outcome]]:
        """Do a step, or where memory lacks half of it; if that lacks, too, fail the largest."""
        for tried in (works, [work.halved() for work in works]):
            self._totals["steps"] += 1
            try:
                return list(zip(tried, self._runner.step(tried), strict=True))
            except OutOfMemoryError as error:
                count = sum(len(work.ids) for work in tried)
                log.warning("a step of %d tokens failed: %s", count, error)
        largest = max(works, key=lambda work: (work.count, work.start)).request
        self._fail(
            largest,
            OutOfMemoryError(
                "there is not enough memory for this request; shorten its prompt, or lower "
                "engine.slots or engine.context"
            ),
        )
        return []

    def _attempt(self, requests: Sequence[Request], act: Callable[[], T]) -> T | None:
        """Do something with the model; should it fail, fail the requests and return None."""
        try:
            return act()
        except DeviceLostError as error:
            self.fail_all(error)
            raise
        except Exception as error:  # the thread outlives any one step
            log.exception("a step failed, and with it %d requests", len(requests))
            message = str(error) if isinstance(error, EngineError) else type(error).__name__
            failure = EngineError(f"generation failed: {message}")
        # Outside of the except block, whose traceback would keep the step's tensors alive.
        for request in requests:
            if request.slot >= 0:
                self._fail(request, failure)
        return None

    def _deliver(self, work: Work, outcome: Outcome) -> None:
        """Take the tokens of a step, as far as what was drafted for it is right."""
        tokens = outcome if isinstance(outcome, list) else [outcome]
        right = 0
        # Counted before somebody hears of the request's end, as everything is.
        self._totals["drafted_tokens"] += len(work.draft)
        for token, guess in itertools.zip_longest(tokens, work.draft):
            if not self._take(work, right, token) or guess is None or token != guess:
                break
            right += 1
            self._totals["accepted_tokens"] += 1
        if work.draft:
            assert work.request.lookup is not None
            work.request.lookup.learn(right)

    def _take(self, work: Work, drafted: int, token: Token | None) -> bool:
        """Take one token behind `drafted` right guesses; return whether the request goes on."""
        request = work.request
        if isinstance(token, EngineError):
            self._fail(request, token)
            return False
        self._scheduler.advance(work, drafted)
        if token is None:
            return True
        self._totals["completion_tokens"] += 1
        try:
            reason = request.accept(token)
        except Exception as error:  # a token that cannot become text is this request's trouble
            log.exception("%s: token %d cannot be decoded", request.id, token)
            self._fail(request, EngineError(f"decoding failed: {type(error).__name__}"))
            return False
        if reason:
            self._finish(request, reason)
        return reason is None

    def _finish(self, request: Request, reason: Reason) -> None:
        self._leave(request, reason, keep_rows=True)
        request.finish(reason)
        now = time.monotonic()
        log.info(
            "%s %s: %d prompt (%d cached) + %d new tokens, first after %.0f ms, all after %.0f ms",
            request.id,
            reason,
            request.prompt_tokens,
            request.cached or 0,
            request.output_tokens,
            1000 * ((request.first_token or now) - request.submitted),
            1000 * (now - request.submitted),
        )

    def _fail(self, request: Request, error: EngineError, *, keep_rows: bool = False) -> None:
        log.warning("%s failed: %s", request.id, error)
        self._leave(request, "failed", keep_rows=keep_rows)
        request.fail(error)

    def _leave(self, request: Request, outcome: str, *, keep_rows: bool) -> None:
        """Free the slot before anybody hears of the end, so that the next request finds it."""
        self._scheduler.remove(request, keep_rows=keep_rows)
        self._totals[f"requests_{outcome}"] += 1
        if request.cached is not None:
            self._totals["prompt_tokens"] += request.prompt_tokens
            self._totals["cached_tokens"] += request.cached
        self._ended()
