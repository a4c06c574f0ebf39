"""
What clients send: the bodies of OpenAI's API, checked here, before anything else sees them.

The names are those of the reference (platform.openai.com/docs/api-reference), beside a few of our
engine's own. What has no effect here is taken or refused as `fields` says.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from opencoder_lsp.api.fields import check_others
from opencoder_lsp.prompt.conversation import Message, Role
from opencoder_lsp.serving.refusals import RefusedError
from opencoder_lsp.settings_sections import Temperature

_MOST_TOKENS = 1_000_000
_MOST_CHOICES = 8  # as the engine
_MOST_STOPS = 32  # OpenAI takes 4; Continue sends more to servers that are not theirs

Stop = Annotated[str, Field(min_length=1, max_length=256)]
Stops = Annotated[list[Stop], Field(max_length=_MOST_STOPS)]
Ids = Annotated[list[int], Field(fail_fast=True)]
Texts = Annotated[list[str], Field(fail_fast=True)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Bias = Annotated[float, Field(ge=-100, le=100)]
Tokens = Annotated[int, Field(ge=1, le=_MOST_TOKENS)]


class StreamOptions(BaseModel):
    """How a stream is sent."""

    model_config = ConfigDict(strict=True, extra="ignore")

    include_usage: bool | None = Field(None, description="Whether the last chunk has the usage.")


class Body(BaseModel):
    """What both kinds of requests have."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    model: str | None = Field(
        None, max_length=256, description="Name, alias or hub id; what runs, if it is missing."
    )
    stream: bool | None = Field(None, description="Send server-sent events as the text is made.")
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, ge=1, le=_MOST_CHOICES, description="Number of answers.")
    stop: Stops | Stop | None = Field(
        None, description="The answer ends in front of the first of these."
    )
    seed: int | None = Field(
        None, ge=-(2**63), lt=2**63, description="Answer i of several is drawn with seed + i."
    )
    temperature: Temperature | None = Field(None, description="0 is greedy.")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, le=_MOST_TOKENS, description="Ours; 0 is off.")
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[int, Bias] | None = Field(
        None, max_length=1024, description="By token id of this model."
    )
    stop_token_ids: Annotated[list[int], Field(max_length=1000)] | None = Field(
        None, description="Ours; these end the answer instead of the model's own."
    )

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a body; raises RefusedError (400), which never repeats what the user wrote."""
        try:
            body = cls.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            param = _place(first["loc"])
            what = f"{param}: " if param else "the body is not valid: "
            raise RefusedError(400, what + first["msg"], param=param) from None
        check_others(body.model_extra or {}, body.choices)
        return body

    @property
    def choices(self) -> int:
        """How many answers are asked for."""
        return self.n or 1

    @property
    def stops(self) -> list[str]:
        """The stop strings."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())

    @property
    def include_usage(self) -> bool:
        """Whether a stream is to end with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def options(self) -> dict[str, Any]:
        """Return what `CompletionRequest` takes as it is, without what is at its default."""
        names = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
        given = {name: getattr(self, name) for name in (*names, "logit_bias", "n")}
        return {name: value for name, value in given.items() if value is not None}


class Part(BaseModel):
    """A part of a message; only text is understood."""

    model_config = ConfigDict(strict=True, extra="allow")

    type: str
    text: str | None = None


class MessageBody(BaseModel):
    """One message; `developer` is a system message by its newer name."""

    model_config = ConfigDict(strict=True, extra="allow")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None
    prefix: bool | None = Field(None, description="The last message is to be continued.")

    def message(self, param: str) -> Message:
        """Return it as the prompt takes it; raises RefusedError for what is not text."""
        for name in ("tool_calls", "function_call", "audio"):
            if (self.model_extra or {}).get(name):
                raise RefusedError(400, f"{param}: {name} is not supported", param=param)
        role: Role = "system" if self.role == "developer" else self.role
        if not isinstance(self.content, list):
            return Message(role, self.content or "")
        if any(part.type != "text" or part.text is None for part in self.content):
            raise RefusedError(400, f"{param}: only parts of type text are understood", param=param)
        return Message(role, "\n".join(part.text or "" for part in self.content))


class ChatBody(Body):
    """The body of `POST /v1/chat/completions`."""

    messages: list[MessageBody] = Field(min_length=1, max_length=4096)
    max_tokens: Tokens | None = Field(None, description="The older name of the next.")
    max_completion_tokens: Tokens | None = Field(
        None, description="Longest answer; by default what the context leaves."
    )
    logprobs: bool | None = Field(None, description="Whether each token has its probability.")
    top_logprobs: int | None = Field(None, ge=0, le=20)
    continue_final_message: bool | None = Field(
        None, description="Ours: go on with the last message, which is the assistant's."
    )

    @property
    def scored(self) -> int | None:
        """How many of the likeliest tokens to name, None for no probabilities at all."""
        if self.top_logprobs is not None and not self.logprobs:
            message = "top_logprobs needs logprobs to be true"
            raise RefusedError(400, message, param="top_logprobs")
        return (self.top_logprobs or 0) if self.logprobs else None


class TextBody(Body):
    """The body of `POST /v1/completions`, which is also what our engine takes."""

    prompt: str | Ids | Texts | Annotated[list[Ids], Field(fail_fast=True)] | None = Field(
        None, description="Text, or token ids of this model; one of them in a list, too."
    )
    suffix: str | None = Field(None, description="The text behind the gap that is to be filled.")
    max_tokens: Tokens | None = Field(None, description="Longest answer; 16 by default.")
    logprobs: int | None = Field(None, ge=0, le=20)
    forced_prefix: str | None = Field(
        None, max_length=10_000, description="Ours: what the answer has to begin with."
    )
    priority: int = Field(0, ge=0, le=100, description="Ours: the lower, the sooner.")

    @property
    def one_prompt(self) -> str | list[int]:
        """The prompt; raises RefusedError where there are several."""
        given = self.prompt
        if isinstance(given, list) and given and not isinstance(given[0], int):
            if len(given) > 1:
                raise RefusedError(400, "prompt: send one prompt a request", param="prompt")
            given = given[0]
        if given == []:
            raise RefusedError(400, "prompt: no token ids", param="prompt")
        return given or ""  # type: ignore[return-value]


def _place(loc: tuple[int | str, ...]) -> str | None:
    """Return OpenAI's name of a place in the body, as `messages[2].role`."""
    if not loc:
        return None
    name = str(loc[0])
    if name != "messages":
        return name  # what follows names kinds of a union, not places
    for part in loc[1:3]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return name
