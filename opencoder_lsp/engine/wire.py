"""
What comes over the socket: a subset of OpenAI's completions API.

Everything that a request can get wrong is found here, before torch sees it.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from opencoder_lsp.engine.core import Loaded
from opencoder_lsp.engine.request import Params
from opencoder_lsp.engine.text import utf8
from opencoder_lsp.errors import PromptTooLongError
from opencoder_lsp.serving.refusals import RefusedError

_MOST_TOKENS = 1_000_000
_MOST_FORCED = 10_000  # characters
_MOST_BIASES = 1024
_MOST_CHOICES = 8
_MOST_LOGPROBS = 20
_MOST_STOPS = 64
_LONGEST_STOP = 256  # characters
# Of OpenAI's parameters, those that would change the answer and are not done yet: name → value
# that means "off".
_LATER: dict[str, Any] = {
    "echo": False,
    "suffix": "",
}

Bias = Annotated[float, Field(ge=-100, le=100)]
Stop = Annotated[str, Field(min_length=1, max_length=_LONGEST_STOP)]


class CompletionBody(BaseModel):
    """The body of `POST /v1/completions`; names that are not here are ignored, but for `_LATER`."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    prompt: Annotated[list[int] | str, Field(min_length=1)]
    model: str | None = None
    max_tokens: int = Field(16, ge=0, le=_MOST_TOKENS)
    stream: bool = False
    n: int | None = Field(None, ge=1, le=_MOST_CHOICES)
    stop: Annotated[list[Stop], Field(max_length=_MOST_STOPS)] | Stop | None = None
    stop_token_ids: list[int] = Field(default_factory=list, max_length=1000)
    forced_prefix: str = Field("", max_length=_MOST_FORCED)
    priority: int = Field(0, ge=0, le=100)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0, le=_MOST_TOKENS)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[int, Bias] | None = Field(None, max_length=_MOST_BIASES)
    logprobs: int | None = Field(None, ge=0, le=_MOST_LOGPROBS)

    @field_validator("temperature")
    @classmethod
    def _not_vanishing(cls, value: float) -> float:
        # Logits divided by less than this overflow into infinity.
        if 0 < value < 0.01:
            raise ValueError("must be 0 (greedy) or at least 0.01")
        return value

    @classmethod
    def parse(cls, raw: bytes) -> "CompletionBody":
        """Read a body; raises RefusedError (400), which never repeats what the user wrote."""
        try:
            body = cls.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            param = str(first["loc"][0]) if first["loc"] else None
            what = f"{param}: " if param else "the body is not valid: "
            raise RefusedError(400, what + first["msg"], param=param) from None
        for name, off in (_LATER | {"best_of": body.choices}).items():
            value = (body.model_extra or {}).get(name)
            if value is not None and value != off:
                raise RefusedError(400, f"{name} is not supported", param=name, code="unsupported")
        return body

    @property
    def choices(self) -> int:
        """How many answers are asked for."""
        return self.n or 1

    def params(self, loaded: Loaded) -> Params:
        """Return what the engine needs; raises RefusedError for ids that the model has not."""
        check_ids(self.stop_token_ids, loaded.vocab_size, "stop_token_ids")
        biases = {id: bias for id, bias in (self.logit_bias or {}).items() if bias}
        check_ids(list(self.logit_bias or ()), loaded.vocab_size, "logit_bias")
        return Params(
            max_tokens=self.max_tokens,
            stop_ids=frozenset(self.stop_token_ids),
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
            forced_prefix=utf8(self.forced_prefix),
            priority=self.priority,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            seed=self.seed,
            presence_penalty=self.presence_penalty or 0.0,
            frequency_penalty=self.frequency_penalty or 0.0,
            logit_bias=tuple(biases.items()),
            logprobs=self.logprobs,
        )

    def ids(self, loaded: Loaded) -> list[int]:
        """Return the prompt's ids; raises RefusedError where they cannot be computed."""
        given = self.prompt
        ids = list(loaded.vocabulary.encode(given)) if isinstance(given, str) else given
        check_ids(ids, loaded.vocab_size, "prompt")
        room = loaded.context_length - (1 if self.max_tokens else 0)
        if len(ids) > room:
            raise RefusedError(
                400,
                str(PromptTooLongError(len(ids), room)),
                code="context_length_exceeded",
                param="prompt",
            )
        return ids


def check_ids(ids: list[int], vocab_size: int, param: str) -> None:
    """Raise RefusedError where an id is not one of the model's."""
    if ids and not 0 <= min(ids) <= max(ids) < vocab_size:
        wrong = next(id for id in ids if not 0 <= id < vocab_size)
        raise RefusedError(
            400, f"{param}: token id {wrong} is not within 0 to {vocab_size - 1}", param=param
        )
