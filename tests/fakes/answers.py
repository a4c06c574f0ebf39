"""What a scripted engine says, and OpenAI's form of it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

End = Literal["done", "die", "error", "no_done"]


@dataclass
class Answer:
    """What the fake says to one request."""

    pieces: list[str] | None = None  # None: the fake's default text
    others: Sequence[str | Sequence[str]] = ()  # answers behind the first; one missing repeats it
    exact: bool = False  # do not put the forced prefix in front
    finish_reason: str | None = None  # None: "length" if cut by max_tokens, else "stop"
    cached_tokens: int = 0
    end: End = "done"
    status: int = 200
    message: str = ""
    code: str | None = None
    retry_after: float | None = None


def split(text: str | Sequence[str]) -> list[str]:
    """Cut a text into words, each with the blanks that follow it; pieces stay as they are."""
    return re.findall(r"\S+\s*|\s+", text) if isinstance(text, str) else list(text)


def error_object(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    return {"message": message, "type": kind, "code": code, "param": None}


def refusal(health: dict[str, Any], answer: Answer) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers for a request that is not answered."""
    if answer.status != 200:
        after = {} if answer.retry_after is None else {"Retry-After": f"{answer.retry_after:g}"}
        error = error_object(answer.message, "invalid_request_error", answer.code)
        return answer.status, {"error": error}, after
    code = "model_error" if health["state"] == "error" else health["state"]
    message = health["cause"] or f"the engine is {health['state']}"
    error = error_object(message, "unavailable", code)
    return 503, {"error": error}, {"Retry-After": "1"}


@dataclass
class Choice:
    """One of the answers to a request: the pieces that are sent, each a token, and its end."""

    index: int
    pieces: list[str]
    reason: str
    scored: bool  # whether log probabilities are asked for

    def part(self, number: int) -> dict[str, Any]:
        """Return OpenAI's choice object of one piece."""
        return self._object(self.pieces[number : number + 1], number)

    def end(self) -> dict[str, Any]:
        """Return the one that says why it ended."""
        return self._object([], len(self.pieces), self.reason)

    def whole(self) -> dict[str, Any]:
        """Return the one of everything at once."""
        return self._object(self.pieces, 0, self.reason)

    def _object(self, pieces: list[str], start: int, reason: str | None = None) -> dict[str, Any]:
        logprobs = self._logprobs(pieces, start) if self.scored and pieces else None
        text = "".join(pieces)
        return {"index": self.index, "text": text, "finish_reason": reason, "logprobs": logprobs}

    def _logprobs(self, pieces: list[str], start: int) -> dict[str, Any]:
        """Score every token alike."""
        lengths = accumulate(map(len, self.pieces), initial=0)
        return {
            "tokens": pieces,
            "token_logprobs": [-0.5] * len(pieces),
            "top_logprobs": [{piece: -0.5} for piece in pieces],
            "text_offset": list(lengths)[start : start + len(pieces)],
        }


def choices(body: dict[str, Any], answer: Answer, default: str) -> Iterator[Choice]:
    """Yield what a fake whose text is `default` says to a request when its script has `answer`."""
    prefix = "" if answer.exact else body.get("forced_prefix", "")
    first = split(default) if answer.pieces is None else answer.pieces
    limit = body.get("max_tokens", 16)
    for index in range(body.get("n") or 1):
        own = split(answer.others[index - 1]) if 0 < index <= len(answer.others) else first
        pieces = [*split(prefix), *_stopped(own, body.get("stop") or [])]
        kept = pieces[:limit]
        reason = answer.finish_reason or ("stop" if len(kept) == len(pieces) else "length")
        yield Choice(index, kept, reason, body.get("logprobs") is not None)


def _stopped(pieces: list[str], stops: Sequence[str]) -> list[str]:
    """Return the pieces in front of the first stop string, the last one cut."""
    text = "".join(pieces)
    left = min([text.index(stop) for stop in stops if stop in text], default=len(text))
    ends = accumulate(map(len, pieces))
    return [
        piece[: left - end] if end > left else piece
        for piece, end in zip(pieces, ends, strict=True)
        if end - len(piece) < left
    ]


def usage(body: dict[str, Any], answer: Answer, spoken: Sequence[Choice]) -> dict[str, Any]:
    """Return OpenAI's usage object of a whole answer."""
    prompt, new = len(body["prompt"]), sum(len(choice.pieces) for choice in spoken)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": new,
        "total_tokens": prompt + new,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }
