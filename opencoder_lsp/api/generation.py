"""
One answer on its way from the engine to a client, whole or as server-sent events.

The client's going, streaming or not, leaves the engine's stream, and that ends the engine's work.
"""

import logging
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from opencoder_lsp.api.failures import refused
from opencoder_lsp.api.jobs import Job
from opencoder_lsp.api.metrics import Metrics
from opencoder_lsp.api.streaming import begin_events, send_events, while_there
from opencoder_lsp.client.engine import Completer, CompletionStream, Piece, Usage
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.prompt.healing import FirstBlank, ForcedPrefix
from opencoder_lsp.serving.messages import DONE, sse
from opencoder_lsp.serving.refusals import refusal

log = logging.getLogger(__name__)


class Generated(Response):
    """
    The response to a job, made while it is sent. `turn` is held until it has ended, `key` is the
    name of the client's key.
    """

    def __init__(
        self, job: Job, client: Completer, turn: ExitStack, metrics: Metrics, key: str
    ) -> None:
        super().__init__()
        self._name = f"{job.answer.id} ({key})" if key else job.answer.id
        self._job = job
        self._client = client
        self._turn = turn
        self._metrics = metrics
        self._began = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI asks, for as long as the client is there."""
        with self._turn, self._metrics.at_work():
            await while_there(receive, self._answer(scope, receive, send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        try:
            async with self._client.complete(self._job.request) as stream:
                await self._send(stream, scope, receive, send)
        except OpencoderError as error:
            log.info("%s failed: %s", self._name, type(error).__name__)
            await self._fail(error, scope, receive, send)
        else:
            usage = used(self._job, stream)
            self._metrics.used(usage)
            log.info(
                "%s: %d prompt (%d cached) + %d new tokens, %.2f s",
                self._name,
                usage.prompt_tokens,
                usage.cached_tokens,
                usage.completion_tokens,
                time.monotonic() - started,
            )

    async def _send(
        self, stream: CompletionStream, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if not self._job.streaming:
            response = JSONResponse(await whole(self._job, stream))
            return await response(scope, receive, send)
        await begin_events(send)
        self._began = True
        await send_events(events(self._job, stream), send)

    async def _fail(
        self, error: OpencoderError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Refuse, or where events have been sent already, end them with one that says so."""
        problem = refused(error)
        if not self._began:
            return await refusal(problem)(scope, receive, send)
        body = sse(problem.as_json())
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def events(job: Job, stream: CompletionStream) -> AsyncGenerator[bytes]:
    """Yield the events of an answer, with all that OpenAI's have around the text."""
    for chunk in job.answer.opening(job.request.n):
        yield sse(chunk)
    async for piece in _pieces(job, stream):
        if (said := job.answer.chunk(piece)) is not None:
            yield sse(said)
    if job.include_usage:
        yield sse(job.answer.usage(used(job, stream)))
    yield DONE


async def whole(job: Job, stream: CompletionStream) -> dict[str, Any]:
    """Return the object of a whole answer."""
    choices = defaultdict[int, list[Piece]](list)
    async for piece in _pieces(job, stream):
        choices[piece.index].append(piece)
    return job.answer.whole(choices, used(job, stream))


def used(job: Job, stream: CompletionStream) -> Usage:
    """Return the usage; what a server of another maker does not say of it, we know in part."""
    return stream.usage or Usage(prompt_tokens=len(job.request.prompt))


async def _pieces(job: Job, stream: CompletionStream) -> AsyncIterator[Piece]:
    forced = [ForcedPrefix(job.without) for _ in range(job.request.n)]
    blanks = [FirstBlank(job.request.blank) for _ in forced]
    async for piece in stream.pieces:
        if not 0 <= piece.index < len(forced):
            continue
        if job.without:
            text = forced[piece.index].without(piece.text)
            piece = piece.model_copy(update={"text": text or ""})
        if (text := blanks[piece.index].without(piece.text)) != piece.text:
            piece = piece.model_copy(update={"text": text})
        yield piece
