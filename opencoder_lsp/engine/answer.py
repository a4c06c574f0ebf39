"""What goes back over the socket: the answers of OpenAI's completions API, whole or in chunks."""

import time
from collections.abc import Sequence
from typing import Any

from opencoder_lsp.engine.request import Reason
from opencoder_lsp.engine.stream import Piece, Usage


class Answer:
    """The JSON objects of one answer."""

    def __init__(self, id: str, model: str) -> None:
        """`id` and `model` are repeated in every object."""
        self._head = {
            "id": id,
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def chunk(self, piece: Piece) -> dict[str, Any]:
        """Return the object of one piece; the last one of all carries the usage."""
        return self._object([_choice(piece.index, piece.text, piece.reason)], piece.usage)

    def whole(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """Return one object of all the pieces of an answer, its choices in order."""
        choices = []
        for index in sorted({piece.index for piece in pieces}):
            own = [piece for piece in pieces if piece.index == index]
            choices.append(_choice(index, "".join(piece.text for piece in own), own[-1].reason))
        return self._object(choices, pieces[-1].usage)

    def _object(self, choices: list[dict[str, Any]], usage: Usage | None) -> dict[str, Any]:
        return self._head | {"choices": choices} | ({"usage": _usage(usage)} if usage else {})


def _choice(index: int, text: str, reason: Reason | None) -> dict[str, Any]:
    return {"index": index, "text": text, "finish_reason": reason, "logprobs": None}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
