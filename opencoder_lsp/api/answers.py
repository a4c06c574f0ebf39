"""What clients get: OpenAI's objects, whole or in chunks, made of the engine's pieces."""

import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from opencoder_lsp import __version__
from opencoder_lsp.client.engine import Logprobs, Piece, Usage

_UNLIKELY = -9999.0  # OpenAI's for a token whose probability is not known
_BYTES = re.compile(r"bytes:((?:\\x[0-9a-f]{2})+)")
Json = dict[str, Any]


class Answer(Protocol):
    """Makes the objects of one answer, in the order of its pieces."""

    id: str

    def opening(self, choices: int) -> Iterator[Json]:
        """Yield the chunks that come before the first piece."""

    def chunk(self, piece: Piece) -> Json | None:
        """Return the chunk of a piece; None where it says nothing."""

    def usage(self, usage: Usage) -> Json:
        """Return the last chunk of a stream that is to have one."""

    def whole(self, choices: Mapping[int, Sequence[Piece]], usage: Usage) -> Json:
        """Return the object of a whole answer, `choices` being its pieces by index."""


class ChatAnswer:
    """Those of `/v1/chat/completions`. `top` is how many likely tokens each has beside it."""

    def __init__(self, model: str, top: int | None, *, include_usage: bool) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self._top = top
        self._head = _head(self.id, model, include_usage=include_usage)

    def opening(self, choices: int) -> Iterator[Json]:
        """Yield each choice's role."""
        for index in range(choices):
            yield self._chunk(index, {"role": "assistant", "content": ""})

    def chunk(self, piece: Piece) -> Json | None:
        """Return the chunk of a piece."""
        if not (piece.text or piece.logprobs or piece.finish_reason):
            return None
        delta = {"content": piece.text} if piece.text or piece.logprobs else {}
        return self._chunk(piece.index, delta, [piece], piece.finish_reason)

    def usage(self, usage: Usage) -> Json:
        """Return the chunk without choices that ends a stream."""
        return self._head | {
            "object": "chat.completion.chunk",
            "choices": [],
            "usage": usage_of(usage),
        }

    def whole(self, choices: Mapping[int, Sequence[Piece]], usage: Usage) -> Json:
        """Return the whole answer."""
        said = [
            {
                "index": index,
                "message": {"role": "assistant", "content": text_of(pieces), "refusal": None},
                "logprobs": self._logprobs(pieces),
                "finish_reason": reason_of(pieces),
            }
            for index, pieces in sorted(choices.items())
        ]
        head = {**self._head, "object": "chat.completion"}
        return head | {"choices": said, "usage": usage_of(usage)}

    def _chunk(
        self, index: int, delta: Json, pieces: Sequence[Piece] = (), reason: str | None = None
    ) -> Json:
        choice = {"index": index, "delta": delta, "finish_reason": reason}
        if self._top is not None:
            choice["logprobs"] = self._logprobs(pieces)
        return self._head | {"object": "chat.completion.chunk", "choices": [choice]}

    def _logprobs(self, pieces: Sequence[Piece]) -> Json | None:
        scores = [piece.logprobs for piece in pieces if piece.logprobs]
        if self._top is None or not scores:
            return None
        content = [token for score in scores for token in _tokens(score, self._top)]
        return {"content": content, "refusal": None}


class TextAnswer:
    """Those of `/v1/completions`."""

    def __init__(self, model: str, *, include_usage: bool) -> None:
        self.id = f"cmpl-{secrets.token_hex(12)}"
        self._head = _head(self.id, model, include_usage=include_usage)
        self._head["object"] = "text_completion"

    def opening(self, choices: int) -> Iterator[Json]:
        """Yield nothing: texts have no role."""
        yield from ()

    def chunk(self, piece: Piece) -> Json | None:
        """Return the chunk of a piece."""
        if not (piece.text or piece.logprobs or piece.finish_reason):
            return None
        return self._head | {"choices": [_text_choice([piece], piece.finish_reason)]}

    def usage(self, usage: Usage) -> Json:
        """Return the chunk without choices that ends a stream."""
        return self._head | {"choices": [], "usage": usage_of(usage)}

    def whole(self, choices: Mapping[int, Sequence[Piece]], usage: Usage) -> Json:
        """Return the whole answer."""
        said = [_text_choice(pieces, reason_of(pieces)) for _, pieces in sorted(choices.items())]
        return self._head | {"choices": said, "usage": usage_of(usage)}


def text_of(pieces: Sequence[Piece]) -> str:
    """Return the text of one choice."""
    return "".join(piece.text for piece in pieces)


def reason_of(pieces: Sequence[Piece]) -> str:
    """Return why a choice ended."""
    return next((piece.finish_reason for piece in pieces if piece.finish_reason), "stop")


def usage_of(usage: Usage) -> Json:
    """Return OpenAI's object."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _head(id: str, model: str, *, include_usage: bool) -> Json:
    head: Json = {"id": id, "created": int(time.time()), "model": model}
    head["system_fingerprint"] = f"opencoder-lsp-{__version__}"
    return {**head, "usage": None} if include_usage else head


def _text_choice(pieces: Sequence[Piece], reason: str | None) -> Json:
    scores = [piece.logprobs for piece in pieces if piece.logprobs]
    return {
        "index": pieces[0].index,
        "text": text_of(pieces),
        "logprobs": _joined(scores) if scores else None,
        "finish_reason": reason,
    }


def _joined(scores: Sequence[Logprobs]) -> Json:
    return {
        name: [item for score in scores for item in getattr(score, name) or ()]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    }


def _tokens(scores: Logprobs, top: int) -> Iterator[Json]:
    """Yield chat's form of the tokens; the engine names the chosen one behind the likeliest."""
    likeliest = scores.top_logprobs or [None] * len(scores.tokens)
    for token, logprob, others in zip(
        scores.tokens, scores.token_logprobs, likeliest, strict=False
    ):
        alternatives = [_token(*other) for other in list((others or {}).items())[:top]]
        yield {**_token(token, logprob), "top_logprobs": alternatives}


def _token(token: str, logprob: float | None) -> Json:
    number = _UNLIKELY if logprob is None else logprob
    return {"token": token, "logprob": number, "bytes": _bytes(token)}


def _bytes(token: str) -> list[int] | None:
    """Return a token's bytes; None for a control token, which has none."""
    if part := _BYTES.fullmatch(token):
        return list(bytes.fromhex(part[1].replace("\\x", "")))
    return None if token.startswith("token_id:") else list(token.encode("utf-8", "replace"))
