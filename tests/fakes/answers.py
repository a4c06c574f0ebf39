"""What a scripted engine says, and OpenAI's form of it."""

import re
from dataclasses import dataclass
from typing import Any, Literal

End = Literal["done", "die", "error", "no_done"]


@dataclass
class Answer:
    """What the fake says to one request."""

    pieces: list[str] | None = None  # None: the fake's default text
    exact: bool = False  # do not put the forced prefix in front
    finish_reason: str | None = None  # None: "length" if cut by max_tokens, else "stop"
    cached_tokens: int = 0
    end: End = "done"
    status: int = 200
    message: str = ""
    code: str | None = None
    retry_after: float | None = None


def split(text: str) -> list[str]:
    """Cut a text into words, each with the blanks that follow it."""
    return re.findall(r"\S+\s*|\s+", text)


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
