"""What goes back over the socket: the answers of OpenAI's completions API, whole or in chunks."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from opencoder_lsp.engine.request import Scored
from opencoder_lsp.engine.stream import Piece, Usage
from opencoder_lsp.engine.text import Vocabulary


class Answer:
    """The JSON objects of one answer, made in the order of its pieces."""

    def __init__(self, id: str, model: str, vocabulary: Vocabulary) -> None:
        """`id` and `model` are repeated in every object."""
        self._vocabulary = vocabulary
        self._said = Counter[int]()  # characters of each choice, if its tokens are scored
        self._head = {
            "id": id,
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def chunk(self, piece: Piece) -> dict[str, Any]:
        """Return the object of one piece; the last one of all carries the usage."""
        return self._object([self._choice(piece)], piece.usage)

    def whole(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """Return one object of all the pieces of an answer, its choices in order."""
        choices = []
        for index in sorted({piece.index for piece in pieces}):
            own = [piece for piece in pieces if piece.index == index]
            text = "".join(piece.text for piece in own)
            scores = tuple(scored for piece in own for scored in piece.scores)
            choices.append(self._choice(Piece(index, text, scores, own[-1].reason)))
        return self._object(choices, pieces[-1].usage)

    def _object(self, choices: list[dict[str, Any]], usage: Usage | None) -> dict[str, Any]:
        return self._head | {"choices": choices} | ({"usage": _usage(usage)} if usage else {})

    def _choice(self, piece: Piece) -> dict[str, Any]:
        return {
            "index": piece.index,
            "text": piece.text,
            "finish_reason": piece.reason,
            "logprobs": self._logprobs(piece.index, piece.scores) if piece.scores else None,
        }

    def _logprobs(self, index: int, scores: Sequence[Scored]) -> dict[str, Any]:
        """Return OpenAI's object; its offsets count characters of the choice's text."""
        offsets = []
        for scored in scores:
            offsets.append(self._said[index])
            self._said[index] += len(scored.text)
        return {
            "tokens": [self._token(scored.score.token) for scored in scores],
            "token_logprobs": [scored.score.logprob for scored in scores],
            "top_logprobs": [self._top(scored) for scored in scores],
            "text_offset": offsets,
        }

    def _top(self, scored: Scored) -> dict[str, float]:
        """Return the likeliest tokens and the chosen one, which may be one more."""
        top: dict[str, float] = {}
        for token, logprob in (*scored.score.top, (scored.score.token, scored.score.logprob)):
            top.setdefault(self._token(token), logprob)  # of two spelt the same, the likelier
        return top

    def _token(self, id: int) -> str:
        """Return a token's text; as OpenAI do, its bytes where they are no whole characters."""
        data = self._vocabulary.token_bytes(id)
        if not data:
            return f"token_id:{id}"  # a control token
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
