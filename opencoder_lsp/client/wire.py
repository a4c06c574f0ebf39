"""What goes over the wire to an engine and comes back, checked at this edge."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, FiniteFloat, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from opencoder_lsp.errors import EngineError

_OPTIONS = (
    "stop",
    "forced_prefix",
    "priority",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
)
State = Literal["loading", "ready", "draining", "error"]
MESSAGE_LIMIT = 500  # characters of somebody else's error message
_LENIENT = ConfigDict(extra="ignore")  # a newer engine may say more


@checked_dataclass(frozen=True, kw_only=True, config=_LENIENT)
class Health:
    """
    What an engine says of itself on `/health` and `/events`.

    `progress` is 0 to 1; `cause` says why in state "error". `context_length` and
    `prompt_tokens_auto` (what it prefills in half a second) are tokens, 0 where it does not say,
    as are `slots` (requests that run side by side) and `kv_bytes` (the memory of all slots).
    `settings` are the engine.* that it was started with.
    """

    state: State
    progress: FiniteFloat = 0.0
    cause: str | None = None
    model: str = ""
    folder: str = ""
    version: str = ""
    pid: int = 0
    context_length: int = 0
    prompt_tokens_auto: int = 0
    device: str = ""
    dtype: str = ""
    slots: int = 0
    kv_bytes: int = 0
    running: int = 0
    waiting: int = 0
    settings: dict[str, bool | int | float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """Tokens of one request; `cached_tokens` of the prompt's were not computed again."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class CompletionRequest:
    """
    One request: token ids in, text out. Names and meanings are OpenAI's where they have one.

    `max_tokens` 0 generates nothing: it makes the engine compute the prompt and keep it for the
    next request. The answer ends in front of the first of the strings `stop`, and at a token of
    `stop_token_ids`. `forced_prefix` is text that the answer must begin with (and will contain).
    `priority` is 0 for completions, 10 for chat, 20 for warm-up. Temperature 0 is greedy; `top_k`
    0 is off; `logit_bias` is by token id. With `n` there are several answers, of which number i is
    drawn with `seed` + i. `logprobs` is how many of the likeliest tokens to name beside each token,
    None for no probabilities at all. `blank` is for who reads the answer, and not sent: a blank
    that it begins with is no text (`FirstBlank`).
    """

    prompt: list[int]
    max_tokens: int
    stop_token_ids: list[int] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    forced_prefix: str = ""
    priority: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    n: int = 1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = field(default_factory=dict)
    logprobs: int | None = None
    blank: bool = False

    def body(self) -> dict[str, Any]:
        """
        Return the JSON body of `POST /v1/completions`, as a stream.

        What is at its default is left out where servers of other makers might not know it.
        """
        changed = {name: getattr(self, name) for name in _OPTIONS if getattr(self, name)}
        if self.n > 1:
            changed["n"] = self.n
        for name in ("seed", "logprobs"):  # where 0 is a value like any other
            if getattr(self, name) is not None:
                changed[name] = getattr(self, name)
        return {
            "prompt": self.prompt,
            "max_tokens": self.max_tokens,
            "stop_token_ids": self.stop_token_ids,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stream": True,
            "stream_options": {"include_usage": True},
            **changed,
        }


class _Part(BaseModel):
    """A part of an answer; what we do not read is let pass."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Problem(_Part):
    """OpenAI's error object, of which the message is for people."""

    message: str
    code: str | int | None = None


class Logprobs(_Part):
    """
    The tokens of a piece of text, with natural logarithms of probabilities.

    Each list has an entry for each token: its text, its own, the likeliest tokens with theirs, and
    where its text begins among the characters of the answer.
    """

    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] = []


class Piece(_Part):
    """What answer `index` says next: text, "" perhaps, and why there will be no more of it."""

    index: int = 0
    text: str = ""
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class _PromptDetails(_Part):
    cached_tokens: int | None = None


class _Usage(_Part):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None


class Chunk(_Part):
    """One event of a completion stream, in OpenAI's form."""

    choices: list[Piece] = []
    usage: _Usage | None = None
    error: Problem | str | None = None

    @classmethod
    def read(cls, data: str) -> Self:
        """Check the data of an event; raises EngineError when it is no chunk."""
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            raise EngineError("the engine sent something that is not part of an answer") from None

    def check(self) -> None:
        """Raise EngineError where this chunk is the end by an error."""
        if self.error:
            error = self.error
            raise EngineError(error.message if isinstance(error, Problem) else error)

    def used(self) -> Usage | None:
        """Return the usage, where this chunk has it."""
        if self.usage is None:
            return None
        details = self.usage.prompt_tokens_details
        cached = details.cached_tokens if details else None
        return Usage(self.usage.prompt_tokens, self.usage.completion_tokens, cached or 0)


class _Failure(_Part):
    """The body of a refusal: OpenAI's error object, or one of the usual others."""

    error: Problem | str | None = None
    detail: str | None = None
    message: str | None = None


def failure_message(body: bytes) -> str:
    """Return what an error's body says to people, one line, or "" where it says nothing."""
    try:
        failure = _Failure.model_validate_json(body)
    except ValidationError:
        return ""  # a proxy's HTML page helps nobody
    error = failure.error.message if isinstance(failure.error, Problem) else failure.error
    text = " ".join((error or failure.detail or failure.message or "").split())
    return text if len(text) <= MESSAGE_LIMIT else text[:MESSAGE_LIMIT] + "…"


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


_HEALTH = TypeAdapter(Health)


def read_health(data: object) -> Health:
    """Check a health object; raises EngineError when it is none."""
    try:
        return _HEALTH.validate_python(data)
    except ValidationError:
        raise EngineError("what answers there is not an opencoder engine") from None
