"""One prompt on its way through the engine, from submit to its last token."""

import enum
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from opencoder_lsp.engine.lookup import Lookup
from opencoder_lsp.engine.stops import Stops
from opencoder_lsp.engine.text import TextStream
from opencoder_lsp.errors import EngineError

COMPLETION, CHAT, BACKGROUND = 0, 10, 20  # priorities: the lower, the sooner


@dataclass(frozen=True, slots=True)
class Params:
    """What is asked for besides the prompt; checked at the edge, trusted from here on."""

    max_tokens: int = 16  # 0 fills a slot and generates nothing
    stop_ids: frozenset[int] = frozenset()
    stop: tuple[str, ...] = ()  # strings in front of which the text behind the prefix ends
    forced_prefix: bytes = b""  # UTF-8 with which the output has to begin
    priority: int = COMPLETION
    temperature: float = 0.0  # 0 is greedy
    top_p: float = 1.0
    top_k: int = 0  # 0 is off
    seed: int | None = None
    presence_penalty: float = 0.0  # taken off the logit of each token that the output has
    frequency_penalty: float = 0.0  # taken off once for each time that it has it
    logit_bias: tuple[tuple[int, float], ...] = ()  # token ids, and what their logits gain
    logprobs: int | None = None  # how many of the likeliest tokens are named with each

    @property
    def adjusts_logits(self) -> bool:
        """Whether tokens are chosen from other logits than the model's own."""
        return bool(self.presence_penalty or self.frequency_penalty or self.logit_bias)

    @property
    def plain_greedy(self) -> bool:
        """Whether each token is the model's likeliest, and nothing but that token is asked for."""
        return self.temperature == 0 and not self.adjusts_logits and self.logprobs is None


Reason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a request that did not fail; `cancelled` is seen by nobody but the engine."""

    reason: Reason
    prompt_tokens: int
    completion_tokens: int  # without the stop id
    cached_tokens: int  # of the prompt, found in a slot
    seconds: float = field(default=0.0, compare=False)  # since it was handed in
    first_token_seconds: float | None = field(default=None, compare=False)  # likewise


@dataclass(frozen=True, slots=True)
class Score:
    """
    A token that was chosen, its log probability, and the likeliest tokens with theirs.

    The probabilities are the model's own: before penalties, biases, temperature or a forced prefix.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]  # the likeliest first


@dataclass(frozen=True, slots=True)
class Scored:
    """The text that became complete with a token, perhaps none, and the token's score."""

    text: str
    score: Score


class OverdueError(EngineError):
    """A request took longer than it may."""


Event = str | Scored | Finish | EngineError
Sink = Callable[[Event], None]  # called on the engine thread; must not block


class State(enum.Enum):
    """Where a request is; it moves between the first two, and once to the last."""

    WAITING = enum.auto()
    RUNNING = enum.auto()
    ENDED = enum.auto()


@dataclass(eq=False, slots=True)
class Request:
    """
    One request. Only `cancelled` is set by other threads; all else is the engine thread's.

    `ids` are the prompt and, behind it, the output; the first `computed` of them have their
    keys and values in `slot`. It ends exactly once, by `finish` or `fail`, with one last event.
    """

    id: str
    ids: list[int]
    params: Params
    text: TextStream
    sink: Sink
    context: int  # tokens that prompt and output may have together
    prompt_tokens: int = field(init=False)
    forced_left: bytes = field(init=False)
    stops: Stops | None = field(init=False, default=None)
    state: State = State.WAITING
    arrival: int = -1  # its place among equals, from the moment it waits for a slot
    slot: int = -1  # -1 while it has none
    computed: int = 0
    cached: int | None = None
    cancelled: bool = False
    generator: Any = None  # the runner's, for sampling
    adjustment: Any = None  # the runner's, for penalties and biases
    score: Score | None = None  # of the token that comes next, if it is asked for
    lookup: Lookup | None = None
    submitted: float = field(default_factory=time.monotonic)
    deadline: float = math.inf  # on the engine's clock
    first_token: float | None = None

    def __post_init__(self) -> None:
        """Remember where the prompt ends."""
        self.prompt_tokens = len(self.ids)
        self.forced_left = self.params.forced_prefix
        if self.params.stop:
            self.stops = Stops(self.params.stop, len(self.forced_left.decode()))

    @property
    def output_tokens(self) -> int:
        """Number of tokens generated so far."""
        return len(self.ids) - self.prompt_tokens

    @property
    def remaining(self) -> int:
        """Number of known tokens whose rows are still to be computed."""
        return len(self.ids) - self.computed

    @property
    def most_tokens(self) -> int:
        """Number of tokens that it may still generate."""
        wanted = self.params.max_tokens - self.output_tokens
        return max(0, min(wanted, self.context - len(self.ids)))

    def accept(self, token: int) -> Reason | None:
        """Take the token that the model chose, emit its text; return why it is the last, if so."""
        if self.first_token is None:
            self.first_token = time.monotonic()
        if token in self.params.stop_ids:
            return "stop"
        self.ids.append(token)
        piece = self.text.push(token)
        self._emit(piece if self.score is None else Scored(piece, self.score))
        if self.forced_left:
            self.forced_left = self.forced_left[len(self.text.token_bytes(token)) :]
        if self.stops is not None and self.stops.found:
            return "stop"
        return None if self.most_tokens else "length"

    def finish(self, reason: Reason) -> None:
        """End well, or because nobody waits any more."""
        self._end()
        if reason != "cancelled":
            self._emit_rest()
        cached = self.cached or 0
        seconds = time.monotonic() - self.submitted
        first = None if self.first_token is None else self.first_token - self.submitted
        self.sink(Finish(reason, self.prompt_tokens, self.output_tokens, cached, seconds, first))

    def fail(self, error: EngineError) -> None:
        """End with an error."""
        self._end()
        self.sink(error)

    def _end(self) -> None:
        assert self.state is not State.ENDED, f"request {self.id} ends twice"
        self.state = State.ENDED

    def _emit(self, event: str | Scored) -> None:
        if self.stops is not None:
            for shown in self.stops.push(event):
                self.sink(shown)
        elif event:
            self.sink(event)

    def _emit_rest(self) -> None:
        if self.stops is None:
            self._emit(self.text.finish())
        elif not self.stops.found:
            for held in self.stops.rest():
                self.sink(held)
            if rest := self.text.finish():  # half a character
                self.sink(rest)
