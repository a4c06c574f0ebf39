"""
How each kind of server is asked, and what it says: token ids in and, where it can, out.

All options that would change the answer are named, since servers have defaults of their own (vLLM
takes them from the model's `generation_config.json`, llama-server has `min_p` 0.05). What ends an
answer are our stop ids, so vLLM is told to ignore the model's own end, and llama-server, which
knows no stop ids, is left at one. Sources: vLLM 0.32, `entrypoints/openai/completion/protocol.py`;
llama.cpp b11434, `tools/server/README.md` and `server-task.cpp`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from opencoder_lsp.client.servers import Server
from opencoder_lsp.client.wire import Chunk, CompletionRequest, Logprobs, Piece, Usage
from opencoder_lsp.errors import EngineError

Json = dict[str, Any]
_TOO_OLD = "this vLLM does not say which tokens it made; version 0.11 or newer does"
_NO_PART = "the engine sent something that is not part of an answer"
_SPECIAL = re.compile(r"[\\.^$|?*+()\[\]{}/-]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Score:
    """A token's natural logarithm of its probability, and the likeliest ones with theirs."""

    id: int
    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Said:
    """
    What one event adds to an answer.

    `text` is None where it is that of `ids`. `reason` ("stop", "length") comes with the last one,
    `usage` where the server has counted. `logprobs` are those of a server that has no ids.
    """

    ids: tuple[int, ...] = ()
    text: str | None = None
    scores: tuple[Score, ...] = ()
    reason: str | None = None
    usage: Usage | None = None
    logprobs: Logprobs | None = None


class Dialect(Protocol):
    """One kind of server. `has_ids` says whether its answers come with token ids."""

    path: str
    has_ids: bool
    warms: int | None  # the max_tokens that only fill its memory; None where nothing does

    def body(self, request: CompletionRequest) -> Json:
        """Return the body for one answer, the forced prefix being a constraint on all of it."""

    def read(self, data: str) -> Iterator[Said]:
        """Yield what an event says; raises EngineError for an error or what is no event."""


def dialect_of(server: Server) -> Dialect:
    """Return how to talk to a server."""
    if server.kind == "vLLM":
        return Vllm(server.model)
    return LlamaServer() if server.kind == "llama-server" else Other(server.model)


class Other:
    """
    A server of which only OpenAI's own words are expected, and a prompt of token ids taken.

    It is given stop ids, and nothing shows whether it knows them.
    """

    path = "/v1/completions"
    has_ids = False
    warms: int | None = None

    def __init__(self, model: str) -> None:
        """`model` is the server's name for it."""
        self._model = model

    def body(self, request: CompletionRequest) -> Json:
        """Return the body; what is no option of OpenAI's is left out, but for the stop ids."""
        plain = replace(request, forced_prefix="", priority=0, top_k=0, stop=[], n=1)
        return {"model": self._model, **plain.body()}

    def read(self, data: str) -> Iterator[Said]:
        """Yield the text of an event."""
        chunk = Chunk.read(data)
        chunk.check()
        for piece in chunk.choices[:1]:
            yield Said(text=piece.text, reason=piece.finish_reason, logprobs=piece.logprobs)
        if used := chunk.used():
            yield Said(usage=used)


class _TokenPiece(Piece):
    token_ids: list[int] | None = None


class _TokenChunk(Chunk):
    choices: list[_TokenPiece] = []  # type: ignore[assignment]


class Vllm:
    """vLLM's `/v1/completions`, with token ids in and out."""

    path = "/v1/completions"
    has_ids = True
    warms: int | None = 1  # 0 is refused; the prompt stays in its prefix cache

    def __init__(self, model: str) -> None:
        """`model` is the server's name for it."""
        self._model = model

    def body(self, request: CompletionRequest) -> Json:
        """Return the body."""
        body = replace(request, forced_prefix="", stop=[], n=1).body()
        body |= {
            "model": self._model,
            "top_k": request.top_k,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "ignore_eos": True,
            "return_token_ids": True,
        }
        if request.logprobs is not None:
            body["return_tokens_as_token_ids"] = True
        if request.forced_prefix:
            body["structured_outputs"] = {"regex": regex(request.forced_prefix)}
        return body

    def read(self, data: str) -> Iterator[Said]:
        """Yield the tokens of an event."""
        chunk = _TokenChunk.read(data)
        chunk.check()
        for piece in chunk.choices[:1]:
            if piece.token_ids is None and piece.text:
                raise EngineError(_TOO_OLD)
            reason = piece.finish_reason
            if reason not in (None, "stop", "length"):
                raise EngineError(f"the engine gave the request up ({reason})")
            scores = tuple(_scores(piece.logprobs)) if piece.logprobs else ()
            yield Said(tuple(piece.token_ids or ()), None, scores, reason)
        if used := chunk.used():
            yield Said(usage=used)


def _scores(logprobs: Logprobs) -> Iterator[Score]:
    likeliest = logprobs.top_logprobs or [None] * len(logprobs.tokens)
    for token, logprob, top in zip(
        logprobs.tokens, logprobs.token_logprobs, likeliest, strict=False
    ):
        pairs = tuple((_id(name), value) for name, value in (top or {}).items())
        yield Score(_id(token), logprob, pairs)


def _id(name: str) -> int:
    """Read "token_id:7"."""
    try:
        return int(name.removeprefix("token_id:"))
    except ValueError:
        raise EngineError(_NO_PART) from None


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Likely(_Lenient):
    id: int
    logprob: float


class _Probability(_Likely):
    top_logprobs: list[_Likely] = []


class _Timings(_Lenient):
    cache_n: int = 0


class _LlamaEvent(_Lenient):
    content: str
    tokens: list[int] = []
    stop: bool = False
    stop_type: str = ""
    tokens_predicted: int = 0
    tokens_evaluated: int = 0
    timings: _Timings = _Timings()
    completion_probabilities: list[_Probability] = []


class LlamaServer:
    """
    llama-server's own `/completion`.

    Its events have the ids of whole characters only: a character made of several tokens comes as
    text with the last one's id.
    """

    path = "/completion"
    has_ids = True
    warms: int | None = 0

    def body(self, request: CompletionRequest) -> Json:
        """Return the body."""
        body: Json = {
            "prompt": request.prompt,
            "n_predict": request.max_tokens,
            "stream": True,
            "cache_prompt": True,
            "return_tokens": True,
            "timings_per_token": True,
            "samplers": ["penalties", "temperature", "top_k", "top_p"],  # the order of ours
            "temperature": request.temperature,
            "top_k": request.top_k,
            "top_p": request.top_p,
            "repeat_penalty": 1.0,
            "presence_penalty": request.presence_penalty,
            "frequency_penalty": request.frequency_penalty,
        }
        if request.seed is not None:
            body["seed"] = request.seed % 2**32
        if request.logit_bias:
            body["logit_bias"] = [[id, bias] for id, bias in request.logit_bias.items()]
        if request.logprobs is not None:
            body["n_probs"] = max(1, request.logprobs)
        if request.forced_prefix:
            body["grammar"] = grammar(request.forced_prefix)
        return body

    def read(self, data: str) -> Iterator[Said]:
        """Yield what an event says."""
        try:
            event = _LlamaEvent.model_validate_json(data)
        except ValidationError:
            Chunk.read(data).check()  # an error
            raise EngineError(_NO_PART) from None
        reason = None
        if event.stop:
            reason = "length" if event.stop_type == "limit" else "stop"
        usage = Usage(event.tokens_evaluated, event.tokens_predicted, event.timings.cache_n)
        scores = (
            Score(one.id, one.logprob, tuple((top.id, top.logprob) for top in one.top_logprobs))
            for one in event.completion_probabilities
        )
        yield Said(tuple(event.tokens), event.content, tuple(scores), reason, usage)


def regex(prefix: str) -> str:
    """Return a regular expression of all texts that begin with `prefix`."""
    escaped = _SPECIAL.sub(lambda match: "\\" + match[0], prefix)
    # xgrammar takes \\x0a for something else, without a word.
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped) + r"[\s\S]*"


def grammar(prefix: str) -> str:
    """Return a grammar (llama.cpp's GBNF) of all texts that begin with `prefix`."""
    escaped = prefix.replace("\\", "\\\\").replace('"', '\\"')
    written = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", escaped)
    return f'root ::= "{written}" rest\nrest ::= [^\\x00]*\n'
