"""What answers look like, for the description of the API; tests hold answers against it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Object(BaseModel):
    """An object with nothing but its fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PromptTokensDetails(_Object):
    """What of the prompt the engine did not have to compute."""

    cached_tokens: int


class Usage(_Object):
    """Tokens of all choices together; the prompt counts once."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


class Token(_Object):
    """A token, the logarithm of its probability, its bytes (none for a control token)."""

    token: str
    logprob: float
    bytes: list[int] | None


class ScoredToken(Token):
    """A token of the answer, with the likeliest ones in its place."""

    top_logprobs: list[Token]


class ChatLogprobs(_Object):
    """The tokens of a message."""

    content: list[ScoredToken]
    refusal: None


class ChatMessage(_Object):
    """What the model says."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(_Object):
    """One answer."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"]


class Delta(_Object):
    """What comes next of a message."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(_Object):
    """What comes next of one answer."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: Literal["stop", "length"] | None


class _Head(_Object):
    id: str
    created: int
    model: str
    system_fingerprint: str


class ChatCompletion(_Head):
    """A whole answer to a conversation."""

    object: Literal["chat.completion"]
    choices: list[ChatChoice]
    usage: Usage


class ChatCompletionChunk(_Head):
    """An event of a streamed answer; `usage` only where it is asked for, in the last one."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChunkChoice]
    usage: Usage | None = None


class TextLogprobs(_Object):
    """The tokens of a text, in parallel lists."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(_Object):
    """One text, or what comes next of it."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length"] | None


class TextCompletion(_Head):
    """A text that goes on, whole or an event of it."""

    object: Literal["text_completion"]
    choices: list[TextChoice]
    usage: Usage | None = None


class Model(_Object):
    """A model; `max_model_len` is in tokens of prompt and answer together."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int


class ModelList(_Object):
    """All models: the one that runs."""

    object: Literal["list"]
    data: list[Model]


class Health(_Object):
    """How the server is."""

    state: Literal["loading", "ready", "error", "draining"]


class ProblemDetails(_Object):
    """What is wrong, for people and for programs."""

    message: str
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    code: str | None
    param: str | None


class Problem(_Object):
    """OpenAI's error object."""

    error: ProblemDetails
