"""
A socket in front of an engine: whatever comes is passed on, and what is asked is noted.

So a benchmark has the very prompts that the language server sends, and needs to know nothing of how
they are made.
"""

import contextlib
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from opencoder_lsp.client.access import Access

_BODY_LIMIT = 64 * 1024 * 1024  # bytes of a request
_NOT_PASSED_ON = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(slots=True)
class Asked:
    """
    One request for a completion as it was sent: token ids, the text to begin with, priority.

    The moments, of `time.perf_counter`, are when it came, when each event of its answer passed by,
    and when either side ended it, None until then.
    """

    prompt: tuple[int, ...]
    forced_prefix: str
    priority: int
    began: float = field(default_factory=time.perf_counter, compare=False)
    events: list[float] = field(default_factory=list, compare=False)
    ended: float | None = field(default=None, compare=False)


class Tap:
    """An address that stands for the engine at an address, for an `async with` block."""

    def __init__(self, target: str, access: Access | None = None) -> None:
        """`target` is as `engine.url`: "unix:/path" or "http://host:port"; `access` is to it."""
        self._access = access or Access()
        self._socket = target.removeprefix("unix:") if target.startswith("unix:") else None
        self._base = "http://engine" if self._socket else target.rstrip("/").removesuffix("/v1")
        self._folder = tempfile.TemporaryDirectory(prefix="oc-tap-", dir="/tmp")
        self._path = Path(self._folder.name) / "engine.sock"
        self._asked = list[Asked]()

    @property
    def url(self) -> str:
        """The address of this socket, for `engine.url`."""
        return f"unix:{self._path}"

    def take(self) -> list[Asked]:
        """Return what was asked since the last time."""
        asked, self._asked = self._asked, []
        return asked

    async def __aenter__(self) -> Self:
        connector: aiohttp.BaseConnector
        if self._socket:
            connector = aiohttp.UnixConnector(self._socket, limit=0, force_close=True)
        else:
            tls = self._access.tls(self._base)
            connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=tls)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            headers=self._access.headers,
            auto_decompress=False,
        )
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        # A handler ends with its client, and so does what it asks for.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._path)).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()
        self._folder.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = self._note(request, body)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_PASSED_ON}
        url = self._base + request.path_qs
        response = None
        try:
            async with self._session.request(
                request.method, url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                passed = {
                    k: v for k, v in answer.headers.items() if k.lower() not in _NOT_PASSED_ON
                }
                response = web.StreamResponse(status=answer.status, headers=passed)
                await response.prepare(request)
                async for part in answer.content.iter_any():
                    if asked is not None:
                        asked.events += [time.perf_counter()] * part.count(b"data: {")
                    await response.write(part)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, OSError):
            # The engine has gone, or our client: either learns it by the end of its connection.
            if request.transport is not None:
                request.transport.abort()
            return response or web.Response(status=502)
        finally:
            if asked is not None:
                asked.ended = time.perf_counter()

    def _note(self, request: web.Request, body: bytes) -> Asked | None:
        """Return what is noted of a request, if anything is."""
        if request.path != "/v1/completions":
            return None
        with contextlib.suppress(ValueError, KeyError, TypeError):  # the engine will refuse it
            given = json.loads(body)
            if given.get("max_tokens", 1):  # 0 only warms the engine
                prompt = tuple(given["prompt"])
                asked = Asked(prompt, given.get("forced_prefix", ""), given.get("priority", 0))
                self._asked.append(asked)
                return asked
        return None
