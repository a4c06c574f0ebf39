"""
The one thread that owns the model.

Requests come in by a queue; text pieces leave through each request's sink. Whatever a step does,
the thread goes on: a step that fails, fails its requests. Only a lost device ends it, and a step
that does not come back.
"""

import itertools
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from opencoder_lsp.engine.generation import Generation
from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.request import Params, Request, Sink
from opencoder_lsp.engine.status import Status
from opencoder_lsp.engine.step import DeviceLostError, Runner
from opencoder_lsp.engine.text import TextStream, Vocabulary
from opencoder_lsp.errors import (
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    OpencoderError,
)

log = logging.getLogger(__name__)

Report = Callable[[float], None]  # progress of loading, 0 to 1


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to run, and what the edge has to know of it."""

    runner: Runner
    vocabulary: Vocabulary
    prefixes: PrefixIndex
    vocab_size: int  # ids from here on are refused
    context_length: int  # tokens of prompt and output together
    chunk: int  # a completion's prompt tokens in one step
    prompt_tokens_auto: int
    device: str
    dtype: str
    kv_bytes: int = 0  # memory of all slots
    lookup: bool = True  # whether to draft tokens from the prompt


class Loader(Protocol):
    """Loads the model; called once, on the engine thread."""

    def __call__(self, report: Report) -> Loaded:
        """Raises ModelError with the cure where there is one."""
        ...


class Engine:
    """The engine thread and the way to it. `submit`, `cancel` and `stop` are for other threads."""

    def __init__(
        self,
        load: Loader,
        status: Status,
        *,
        queue_limit: int,
        request_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        `queue_limit` is the number of requests that may wait for a slot; `request_seconds` on
        `clock` is what each may take, 0 for any time. `on_lost`, to be set before `start`, is
        called, on any thread, when no request can be answered any more.
        """
        self._load = load
        self._status = status
        self._queue_limit = queue_limit
        self._request_seconds = request_seconds or math.inf
        self._clock = clock
        self._inbox: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._names = itertools.count(1)
        self._steps = itertools.count(1)
        self._lock = threading.Lock()
        self._unfinished = 0
        self._stopping = False
        self._closed = False  # whether the thread takes nothing more
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.loaded: Loaded | None = None
        self.step_in_flight: int | None = None  # its number
        self.lost = False  # whether no request can be answered any more
        self.on_lost: Callable[[], object] = lambda: None
        self._generation: Generation | None = None
        status.count = self._count

    def start(self) -> None:
        """Begin to load, on the engine's thread."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Ask the thread to end after the step in flight; return whether it did."""
        self._stopping = True
        self._inbox.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def unfinished(self) -> int:
        """Number of requests that have not ended."""
        return self._unfinished

    def submit(
        self, ids: Sequence[int], params: Params, sink: Sink, deadline: float | None = None
    ) -> Request:
        """
        Hand in a request whose numbers have been checked; its events go to `sink`.

        `deadline` is that of the answer which it is a part of, if there are several parts.
        Raises EngineUnavailableError unless the engine is ready and EngineBusyError when too
        many wait already.
        """
        loaded = self.loaded
        if loaded is None or self._status.health.state != "ready":
            raise EngineUnavailableError(f"the engine is {self._status.health.state}")
        with self._lock:
            if self._unfinished >= loaded.runner.slots + self._queue_limit:
                self._status.totals["requests_refused"] += 1
                raise EngineBusyError(f"{self._queue_limit} requests are waiting already")
            if self._closed:
                raise EngineUnavailableError("the engine is stopping")
            name = f"cmpl-{next(self._names)}"
            text = TextStream(loaded.vocabulary)
            request = Request(name, list(ids), params, text, sink, loaded.context_length)
            if deadline is None:
                deadline = self._clock() + self._request_seconds
            request.deadline = deadline
            self._unfinished += 1
            self._inbox.put(request)
        return request

    def cancel(self, request: Request) -> None:
        """Stop a request before its next step; nothing happens if it has ended."""
        request.cancelled = True
        self._inbox.put(None)

    def give_up(self, error: EngineError) -> None:
        """Note that no request can be answered any more; what is at work is not told so."""
        log.critical("the engine has to end: %s", error)
        self.lost = self._stopping = True
        self._status.update(state="error", cause=str(error))
        self.on_lost()

    def _count(self) -> dict[str, int]:
        running = self._generation.running if self._generation else 0
        return {"running": running, "waiting": max(0, self._unfinished - running)}

    def _run(self) -> None:
        generation = self._load_all()
        if generation is None:
            return
        end: EngineError = EngineUnavailableError("the engine is stopping")
        try:
            while not self._stopping:
                self._receive(generation)
                self.step_in_flight = next(self._steps)
                generation.step()
                self.step_in_flight = None
        except DeviceLostError as error:
            self.step_in_flight = None
            self.give_up(error)
            end = error
        with self._lock:
            self._closed = True
        self._receive_all(generation)  # who came during the last step is told, too
        generation.fail_all(end)

    def _load_all(self) -> Generation | None:
        started = time.monotonic()
        try:
            loaded = self._load(lambda progress: self._status.update(progress=progress))
        except Exception as error:  # whatever it is, the fronts read it in /health
            known = isinstance(error, OpencoderError)
            log.error("the model cannot be loaded: %s", error, exc_info=not known)
            cause = str(error) if known else f"{type(error).__name__}: {error}"
            self._status.update(state="error", cause=cause)
            return None
        self._generation = Generation(
            loaded.runner,
            loaded.prefixes,
            loaded.chunk,
            self._status.totals,
            self._one_ended,
            lookup=loaded.lookup,
            clock=self._clock,
        )
        self.loaded = loaded
        log.info(
            "loaded in %.1f s: %s, %s, %d slots of %d tokens in %.0f MB, chunks of %d, "
            "prompts up to %d",
            time.monotonic() - started,
            loaded.device,
            loaded.dtype,
            loaded.runner.slots,
            loaded.context_length,
            loaded.kv_bytes / 1e6,
            loaded.chunk,
            loaded.prompt_tokens_auto,
        )
        self._status.update(
            state="ready",
            progress=1.0,
            context_length=loaded.context_length,
            prompt_tokens_auto=loaded.prompt_tokens_auto,
            device=loaded.device,
            dtype=loaded.dtype,
            slots=loaded.runner.slots,
            kv_bytes=loaded.kv_bytes,
        )
        return self._generation

    def _receive(self, generation: Generation) -> None:
        """Take what has come; wait for something only when there is nothing to do."""
        if generation.idle:
            self._take(generation, self._inbox.get())
        self._receive_all(generation)

    def _receive_all(self, generation: Generation) -> None:
        while not self._inbox.empty():  # nobody else takes from it
            self._take(generation, self._inbox.get())

    def _take(self, generation: Generation, request: Request | None) -> None:
        if request is not None:  # None only wakes the thread
            generation.add(request)

    def _one_ended(self) -> None:
        with self._lock:
            self._unfinished -= 1
