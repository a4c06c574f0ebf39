"""
An async client of one engine: ours, or any server with OpenAI's `/v1/completions`.

Every failure is one of four: EngineUnavailableError (cannot be reached, is loading, is going),
EngineBusyError (its queue is full), InvalidRequestError (it refused this request) and plain
EngineError (it failed on the way, or what answers is no engine). Prompts are never logged.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from opencoder_lsp.client.activity import Activity
from opencoder_lsp.client.http import CLOSED, STOPPED, Answer, Http, Limits
from opencoder_lsp.client.wire import (
    Chunk,
    CompletionRequest,
    Health,
    Logprobs,
    Piece,
    Problem,
    Usage,
    read_health,
)
from opencoder_lsp.errors import EngineError, InvalidRequestError

__all__ = [
    "CompletionRequest",
    "CompletionStream",
    "EngineClient",
    "Health",
    "Limits",
    "Logprobs",
    "Piece",
    "Usage",
]

# The engine speaks every 15 s on `/events`, be it only a comment.
LEASE_STALL = 45.0


class EngineClient:
    """
    A client of the engine at `url`, "unix:/path" or "http://host:port".

    Belongs to one event loop, and connects when it is first used.
    """

    def __init__(self, url: str, *, limits: Limits | None = None) -> None:
        self.url = url
        self._http = Http(url, limits or Limits())

    @property
    def suspect(self) -> bool:
        """Whether a connection has failed since the last time that `health` was good."""
        return self._http.suspect

    async def health(self) -> Health:
        """Ask how the engine is; a server of another maker is "ready" once it lists its models."""
        try:
            async with self._http.request("GET", "/health") as answer:
                data = parse_json(await answer.body())
        except InvalidRequestError:  # 404: no such route there
            data = None
        health = read_health(data) if is_ours(data) else await self._foreign_health()
        self._http.suspect = False
        return health

    async def activity(self) -> Activity:
        """
        Ask what the engine has done so far; all of it is empty for another maker's server.

        Raises InvalidRequestError where the server does not say.
        """
        async with self._http.request("GET", "/metrics") as answer:
            return Activity.read((await answer.body()).decode("utf-8", "replace"))

    def complete(
        self, request: CompletionRequest
    ) -> AbstractAsyncContextManager["CompletionStream"]:
        """
        Open a stream for the request. Leaving the block, at any time, cancels the request.

        Raises the errors of this module on entering and while reading.
        """
        return self._complete(request)

    @asynccontextmanager
    async def _complete(self, request: CompletionRequest) -> AsyncIterator["CompletionStream"]:
        async with self._http.request("POST", "/v1/completions", request.body()) as answer:
            yield CompletionStream(answer)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Health]]:
        """
        Hold a lease on the engine; the iterator yields its health at once and at each change.

        The engine lives at least as long as the block. Raises InvalidRequestError where the server
        has no leases (it is not ours), and EngineError from the iterator when the engine has gone.
        """
        async with self._http.request("GET", "/events") as answer:
            yield _healths(answer)

    async def close(self, reason: str = CLOSED) -> None:
        """Close every connection; who waits on one gets EngineUnavailableError with this reason."""
        await self._http.close(reason)

    async def _foreign_health(self) -> Health:
        async with self._http.request("GET", "/v1/models") as answer:
            listing = parse_json(await answer.body())
        try:
            first = listing["data"][0]
            length = first.get("max_model_len") or (first.get("meta") or {}).get("n_ctx_train")
            return Health(state="ready", progress=1, model=first["id"], context_length=length or 0)
        except (TypeError, LookupError, AttributeError, ValueError):
            raise EngineError(f"what answers at {self._http.where} is not an engine") from None


class CompletionStream:
    """
    The answer to one request: an async iterator of its pieces of text.

    The pieces begin with the request's `forced_prefix`. `finish_reason` ("stop" or "length") and
    `usage` are there once the iterator has ended. `pieces` is for requests of several answers, of
    which the iterator gives the first, and for those of probabilities: it gives everything, and
    there is only one of the two to be had.
    """

    def __init__(self, answer: Answer) -> None:
        self.finish_reasons: dict[int, str] = {}  # by the answer's index
        self.usage: Usage | None = None  # of all answers together; the prompt counts once
        self.pieces: AsyncIterator[Piece] = self._read(answer)
        self._texts = self._first()

    @property
    def finish_reason(self) -> str | None:
        """Why the first answer ended, once it has."""
        return self.finish_reasons.get(0)

    def __aiter__(self) -> AsyncIterator[str]:
        """Return the iterator; there is one only."""
        return self._texts

    async def _first(self) -> AsyncIterator[str]:
        async for piece in self.pieces:
            if piece.text and piece.index == 0:
                yield piece.text

    async def _read(self, answer: Answer) -> AsyncIterator[Piece]:
        async for data in answer.events():
            if data == "[DONE]":
                return
            chunk = Chunk.read(data)
            if chunk.error:
                error = chunk.error
                raise EngineError(error.message if isinstance(error, Problem) else error)
            self.usage = chunk.used() or self.usage
            for piece in chunk.choices:
                if piece.finish_reason:
                    self.finish_reasons[piece.index] = piece.finish_reason
                yield piece
        raise EngineError(STOPPED)


async def _healths(answer: Answer) -> AsyncIterator[Health]:
    async for data in answer.events(stall=LEASE_STALL):
        yield read_health(parse_json(data))


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def is_ours(data: object) -> bool:
    """Whether a body of `/health` is an opencoder engine's; vLLM's is empty, others differ."""
    return isinstance(data, dict) and "state" in data
