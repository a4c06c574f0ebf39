"""
An async client of one engine, which speaks as ours does; `foreign` is for other makers' servers.

Every failure is one of four: EngineUnavailableError (cannot be reached, is loading, is going),
EngineBusyError (its queue is full), InvalidRequestError (it refused this request) and plain
EngineError (it failed on the way, or what answers is no engine). Prompts are never logged.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from opencoder_lsp.client.access import Access
from opencoder_lsp.client.activity import Activity
from opencoder_lsp.client.http import CLOSED, STOPPED, Answer, Http, Limits
from opencoder_lsp.client.servers import Server, find
from opencoder_lsp.client.wire import (
    Chunk,
    CompletionRequest,
    Health,
    Logprobs,
    Piece,
    Usage,
    parse_json,
    read_health,
)
from opencoder_lsp.errors import EngineError, InvalidRequestError

__all__ = [
    "CompletionRequest",
    "CompletionStream",
    "EngineClient",
    "Health",
    "Completer",
    "Limits",
    "Logprobs",
    "Piece",
    "Usage",
]

# The engine speaks every 15 s on `/events`, be it only a comment.
LEASE_STALL = 45.0
# Seconds that a request waits for a busy server elsewhere: who types is soon somewhere else.
_PATIENCE_TYPING, _PATIENCE_CHAT = 2.0, 30.0
_BACKGROUND = 20  # the priority of what nobody waits for


class Completer(Protocol):
    """What answers requests: a client of our engine, or of another maker's server."""

    def complete(
        self, request: CompletionRequest
    ) -> AbstractAsyncContextManager["CompletionStream"]:
        """See `EngineClient.complete`."""


def patience(request: CompletionRequest) -> float:
    """Return the seconds for which a busy server is asked again."""
    if request.priority >= _BACKGROUND:
        return 0.0
    return _PATIENCE_CHAT if request.priority else _PATIENCE_TYPING


class EngineClient:
    """
    A client of the engine at `url`, "unix:/path" or "http://host:port".

    Belongs to one event loop, and connects when it is first used. `access` is for this address;
    `patient` is whether a busy engine is asked again; `model` is what the settings call the model,
    of several that another maker's server may have.
    """

    def __init__(
        self,
        url: str,
        *,
        limits: Limits | None = None,
        access: Access | None = None,
        patient: bool = False,
        model: str = "",
    ) -> None:
        self.url = url
        self.http = Http(url, limits or Limits(), access)
        self.server: Server | None = None  # what `health` found, where it is none of ours
        self._patient = patient
        self._model = model

    @property
    def suspect(self) -> bool:
        """Whether a connection has failed since the last time that `health` was good."""
        return self.http.suspect

    async def health(self) -> Health:
        """Ask how the engine is; a server of another maker is "ready" once it lists its models."""
        try:
            # `serve` says by 503 that it is not ready, for those who share out requests.
            async with self.http.request("GET", "/health", also=503) as answer:
                data = parse_json(await answer.body())
        except InvalidRequestError:  # 404: no such route there
            data = None
        if is_ours(data):
            self.server, health = None, read_health(data)
            if not health.model:  # `serve` says more to those only who have its key
                async with self.events() as healths:
                    health = await anext(healths, health)
        else:
            self.server = await find(self.http, self._model)
            health = self.server.health()
        self.http.suspect = False
        return health

    async def activity(self) -> Activity:
        """
        Ask what the engine has done so far; all of it is empty for another maker's server.

        Raises InvalidRequestError where the server does not say.
        """
        async with self.http.request("GET", "/metrics") as answer:
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
        wait = patience(request) if self._patient else 0.0
        async with self.http.request("POST", "/v1/completions", request.body(), wait) as answer:
            yield CompletionStream(_said(answer))

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Health]]:
        """
        Hold a lease on the engine; the iterator yields its health at once and at each change.

        The engine lives at least as long as the block. Raises InvalidRequestError where the server
        has no leases (it is not ours), and EngineError from the iterator when the engine has gone.
        """
        async with self.http.request("GET", "/events") as answer:
            yield _healths(answer)

    async def close(self, reason: str = CLOSED) -> None:
        """Close every connection; who waits on one gets EngineUnavailableError with this reason."""
        await self.http.close(reason)


class CompletionStream:
    """
    The answer to one request: an async iterator of its pieces of text.

    The pieces begin with the request's `forced_prefix`. `finish_reason` ("stop" or "length") and
    `usage` are there once the iterator has ended. `pieces` is for requests of several answers, of
    which the iterator gives the first, and for those of probabilities: it gives everything, and
    there is only one of the two to be had.
    """

    def __init__(self, said: AsyncIterator[Piece | Usage]) -> None:
        self.finish_reasons: dict[int, str] = {}  # by the answer's index
        self.usage: Usage | None = None  # of all answers together; the prompt counts once
        self.pieces: AsyncIterator[Piece] = self._read(said)
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

    async def _read(self, said: AsyncIterator[Piece | Usage]) -> AsyncIterator[Piece]:
        async for one in said:
            if isinstance(one, Usage):
                self.usage = one
                continue
            if one.finish_reason:
                self.finish_reasons[one.index] = one.finish_reason
            yield one


async def _said(answer: Answer) -> AsyncIterator[Piece | Usage]:
    async for data in answer.events():
        if data == "[DONE]":
            return
        chunk = Chunk.read(data)
        chunk.check()
        if used := chunk.used():
            yield used
        for piece in chunk.choices:
            yield piece
    raise EngineError(STOPPED)


async def _healths(answer: Answer) -> AsyncIterator[Health]:
    async for data in answer.events(stall=LEASE_STALL):
        yield read_health(parse_json(data))


def is_ours(data: object) -> bool:
    """Whether a body of `/health` is an opencoder engine's; vLLM's is empty, others differ."""
    return isinstance(data, dict) and "state" in data
