"""
Requests to another maker's server, answered as our engine would: same ids, same text, same ends.

A forced prefix is written under a constraint (`dialects`), and the rest of the answer asked for
behind it without one: constraints let no control token through but the one that the server takes
for the end, so that an answer under them might not find its own.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace

from opencoder_lsp.client.dialects import Dialect, Said
from opencoder_lsp.client.engine import CompletionStream, patience
from opencoder_lsp.client.http import STOPPED, Http
from opencoder_lsp.client.progress import Progress
from opencoder_lsp.client.wire import CompletionRequest, Piece, Usage
from opencoder_lsp.errors import EngineError
from opencoder_lsp.prompt.tokenizer import Tokenizer

_Part = Piece | Usage


class ForeignClient:
    """A `Completer` on a server of which `dialect` knows the language."""

    def __init__(self, http: Http, dialect: Dialect, tokenizer: Tokenizer) -> None:
        self._http = http
        self._dialect = dialect
        self._tokenizer = tokenizer

    def complete(self, request: CompletionRequest) -> AbstractAsyncContextManager[CompletionStream]:
        """Open a stream for the request; see `EngineClient.complete`."""
        return self._complete(request)

    @asynccontextmanager
    async def _complete(self, request: CompletionRequest) -> AsyncIterator[CompletionStream]:
        async with aclosing(self._all(request)) as parts:
            first = await anext(parts, None)  # so that a refusal is raised here
            yield CompletionStream(_joined(first, parts))

    async def _all(self, request: CompletionRequest) -> AsyncGenerator[_Part]:
        if request.max_tokens == 0:
            await self._warm(request)
            yield Usage(len(request.prompt))
            return
        answers = [self._answer(request, index) for index in range(request.n)]
        used = Usage(len(request.prompt))
        async with aclosing(merged(answers)) as parts:
            async for part in parts:
                if isinstance(part, Piece):
                    yield part
                    continue
                made = used.completion_tokens + part.completion_tokens
                cached = max(used.cached_tokens, part.cached_tokens)
                used = replace(used, completion_tokens=made, cached_tokens=cached)
        yield used

    async def _warm(self, request: CompletionRequest) -> None:
        """Have the server compute the prompt, where that is of use for the next request."""
        if self._dialect.warms is None:
            return
        request = replace(request, max_tokens=self._dialect.warms, n=1, forced_prefix="")
        async with aclosing(self._events(request)) as events:
            async for _ in events:
                pass

    async def _answer(self, request: CompletionRequest, index: int) -> AsyncGenerator[_Part]:
        if request.seed is not None:
            request = replace(request, seed=request.seed + index)
        request = replace(request, forced_prefix=_whole(request.forced_prefix))
        progress = Progress(request, index, self._tokenizer)
        rest = request
        if request.forced_prefix:
            async with aclosing(self._forced(request, progress)) as pieces:
                async for piece in pieces:
                    yield piece
            prompt = [*request.prompt, *progress.spell()]
            if not progress.is_over() and progress.room <= 0:
                for piece in progress.finish("length"):
                    yield piece
            rest = replace(request, prompt=prompt, max_tokens=progress.room, forced_prefix="")
        if not progress.is_over():
            async with aclosing(self._events(rest)) as events:
                async for said in events:
                    for piece in progress.take(said):
                        yield piece
                    if progress.is_over() and said.reason is None:
                        break  # the server would go on
            if not progress.is_over():
                raise EngineError(STOPPED)
        yield progress.usage

    async def _forced(
        self, request: CompletionRequest, progress: Progress
    ) -> AsyncGenerator[Piece]:
        """Yield the pieces that the forced prefix is in; without ids it is not the model's."""
        if not self._dialect.has_ids:
            for piece in progress.say(request.forced_prefix):
                yield piece
            return
        async with aclosing(self._events(request)) as events:
            async for said in events:
                for one in _singly(said):
                    for piece in progress.take(one):
                        yield piece
                    if len(progress.text) >= len(request.forced_prefix):
                        return
                if progress.is_over():
                    return
        raise EngineError(STOPPED)

    async def _events(self, request: CompletionRequest) -> AsyncGenerator[Said]:
        """Yield what the server says, until it ends; llama-server's own route has no [DONE]."""
        dialect = self._dialect
        body, wait = dialect.body(request), patience(request)
        async with self._http.request("POST", dialect.path, body, wait) as answer:
            async for data in answer.events():
                if data == "[DONE]":
                    return
                for said in dialect.read(data):
                    yield said


def _singly(said: Said) -> list[Said]:
    """Cut an event into its tokens, where their texts are known."""
    if said.text is not None or len(said.ids) < 2:
        return [said]
    last = len(said.ids) - 1
    return [
        replace(
            said,
            ids=(id,),
            scores=said.scores[at : at + 1],
            reason=said.reason if at == last else None,
        )
        for at, id in enumerate(said.ids)
    ]


def _whole(text: str) -> str:
    """Return a text with U+FFFD for each lone surrogate, which no server takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def _joined(first: _Part | None, rest: AsyncIterator[_Part]) -> AsyncIterator[_Part]:
    if first is not None:
        yield first
    async for part in rest:
        yield part


async def merged(sources: list[AsyncGenerator[_Part]]) -> AsyncGenerator[_Part]:
    """Yield what several generators yield, as it comes; the first error ends all of them."""
    if len(sources) == 1:
        async with aclosing(sources[0]) as parts:
            async for part in parts:
                yield part
        return
    queue: asyncio.Queue[_Part | Exception | None] = asyncio.Queue()
    tasks = [asyncio.create_task(_pour(source, queue)) for source in sources]
    try:
        for _ in sources:
            while (item := await queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pour(
    source: AsyncGenerator[_Part], queue: "asyncio.Queue[_Part | Exception | None]"
) -> None:
    """Move all into the queue, and None behind it."""
    try:
        async with aclosing(source) as parts:
            async for part in parts:
                queue.put_nowait(part)
        queue.put_nowait(None)
    except Exception as error:  # boundary: it is raised where the queue is read
        queue.put_nowait(error)
