"""
HTTP to one engine, with our errors and our time limits.

One request, one connection on a Unix socket, so that leaving a response is closing its
connection: the engine sees at once that nobody listens, and no pool can leak. aiohttp stays quiet
and clean when tasks are cancelled at any point of a request; the test of 2,000 cancels chose it.
"""

import asyncio
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from opencoder_lsp.client.access import Access
from opencoder_lsp.client.sse import EventParser
from opencoder_lsp.client.wire import failure_message
from opencoder_lsp.errors import (
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)

if TYPE_CHECKING:  # aiohttp costs 90 ms and 9 MB, so it is imported with the first request
    import aiohttp

_T = TypeVar("_T")
Body = dict[str, Any] | None

BODY_LIMIT = 1 << 20  # bytes of an answer that is not a stream
# Servers drop idle connections after 5 s (uvicorn, llama-server); a POST must not meet that.
KEEP_ALIVE = 3.0
_PAUSE = 0.25  # seconds before a busy server is asked again, doubled each time
CLOSED = "the connection to the engine was closed while it was in use"
STOPPED = "the engine stopped in the middle of its answer"


class StalledError(EngineError):
    """The engine, or the way to it, stands still."""


@dataclass(frozen=True)
class Limits:
    """
    Seconds to wait: for a connection, for the first byte of an answer, for each byte after it.

    There is none for an answer as a whole.
    """

    connect: float = 5.0
    first: float = 120.0
    stall: float = 30.0


class Http:
    """A connection pool to one address, `unix:/path` or `http(s)://host:port`."""

    def __init__(self, url: str, limits: Limits, access: Access | None = None) -> None:
        """`access` is for this address: its key is sent nowhere else."""
        self.limits = limits
        self._access = access or Access()
        self._socket = url.removeprefix("unix:") if url.startswith("unix:") else None
        self._base = "http://engine" if self._socket else url.rstrip("/").removesuffix("/v1")
        self.where = url if self._socket else without_password(url)
        self.suspect = False  # a connection failed: the engine may be gone
        self._session: aiohttp.ClientSession | None = None
        self._closed = ""  # why, once it is
        self._waiting = set[asyncio.Timeout]()

    @asynccontextmanager
    async def request(
        self, method: str, path: str, body: Body = None, patience: float = 0.0, also: int = 200
    ) -> AsyncIterator["Answer"]:
        """
        Send a request and yield its answer; leaving the block closes the connection.

        A server that is busy (429, 503) is asked again, as long as the waits that it asks for, or
        else growing ones, are not longer than `patience` seconds in all. Raises the errors of
        `opencoder_lsp.client.engine` for every status but 200 and `also`.
        """
        pause = _PAUSE
        while True:
            answer = await self._ask(method, path, body)
            try:
                wait = max(pause, answer.retry_after(0.0))
                if answer.status not in (429, 503) or wait > patience:
                    if answer.status not in (200, also):
                        await self._refused(answer)
                    yield answer
                    return
            finally:
                answer.close()
            await self.rest(wait)
            patience, pause = patience - wait, 2 * pause

    async def _ask(self, method: str, path: str, body: Body) -> "Answer":
        import aiohttp

        self.check_open()
        session = self._open()
        try:
            response = await self.within(
                self.limits.connect + self.limits.first,
                session.request(method, self._base + path, json=body, allow_redirects=False),
            )
        except TimeoutError:
            self.check_open()
            raise self._unreachable("it accepts connections but does not answer") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failed(error) from error
        return Answer(response, self)

    async def close(self, reason: str = CLOSED) -> None:
        """
        Close every connection.

        Requests that are open, and new ones, end with EngineUnavailableError and this reason.
        """
        self._closed = reason
        for wait in self._waiting:
            if not wait.expired():
                wait.reschedule(0)  # aiohttp would let them wait for ever
        if self._session is not None:
            await self._session.close()

    def check_open(self) -> None:
        """Raise EngineUnavailableError once this is closed."""
        if self._closed:
            raise EngineUnavailableError(self._closed)

    async def within(self, seconds: float, work: Awaitable[_T]) -> _T:
        """Return what `work` does; TimeoutError after so long, or once this is closed."""
        async with asyncio.timeout(seconds) as wait:
            self._waiting.add(wait)
            try:
                return await work
            finally:
                self._waiting.discard(wait)

    async def rest(self, seconds: float) -> None:
        """Do nothing for so long, or until this is closed."""
        with suppress(TimeoutError):  # the event never comes, so this is how it ends
            await self.within(seconds, asyncio.Event().wait())

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            connector: aiohttp.BaseConnector
            if self._socket:
                connector = aiohttp.UnixConnector(self._socket, limit=0, force_close=True)
            else:
                tls = self._access.tls(self._base)
                connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ssl=tls)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", **self._access.headers},
                trust_env=not (self._socket or is_loopback(self._base)),
            )
        return self._session

    def _unreachable(self, reason: str) -> EngineUnavailableError:
        self.suspect = True
        return EngineUnavailableError(f"no engine answers at {self.where}: {reason}")

    def _failed(self, error: Exception) -> EngineError:
        import aiohttp

        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return self._unreachable(f"no connection within {self.limits.connect:g} s")
        if isinstance(error, aiohttp.ClientConnectorSSLError):
            return self._unreachable("TLS fails: perhaps it is http:// and not https://")
        if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
            return self._unreachable(
                "its TLS certificate is not to be trusted; for one of your own, set engine.ca_file"
            )
        if isinstance(error, aiohttp.InvalidURL | ValueError):  # as errors of certificates are
            return self._unreachable("this is not a usable address")
        if isinstance(error, aiohttp.ClientConnectorError):
            cause = error.os_error
            return self._unreachable(cause.strerror or type(cause).__name__)
        if isinstance(error, aiohttp.ServerDisconnectedError | OSError):
            self.suspect = True
            return EngineError("the engine stopped before it answered")
        return EngineError(f"what answers at {self.where} does not speak HTTP as an engine does")

    async def _refused(self, answer: "Answer") -> None:
        status = answer.status
        said = failure_message(await answer.body())
        if status == 429:
            raise EngineBusyError(said or "the engine's queue is full", answer.retry_after())
        if status == 503:
            raise EngineUnavailableError(said or "the engine is not ready")
        if status in (400, 404, 413, 422):
            raise InvalidRequestError(said or f"the engine refused the request (HTTP {status})")
        if 300 <= status < 400:
            said = "a redirect, which is not followed; set engine.url to where it really is"
        if status in (401, 403):
            said = f"{said or 'access denied'}; set engine.key_file or engine.keyring"
        raise EngineError(f"{self.where} answered HTTP {status}" + (f": {said}" if said else ""))


class Answer:
    """The answer to one request, while its connection is open."""

    def __init__(self, response: "aiohttp.ClientResponse", http: Http) -> None:
        self._response = response
        self._http = http
        self._limits = http.limits
        self.status = response.status

    @property
    def is_stream(self) -> bool:
        """Whether the body is server-sent events."""
        return self._response.content_type == "text/event-stream"

    def retry_after(self, default: float = 1.0) -> float:
        """Seconds that the server asks us to wait, in numbers or as a date; else `default`."""
        given = self._response.headers.get("Retry-After", "")
        try:
            return max(0.0, float(given))
        except ValueError:
            date = parsedate_tz(given)
            return default if date is None else max(0.0, mktime_tz(date) - time.time())

    def close(self) -> None:
        """
        Close the connection, at once.

        To end TLS in order takes the server, too: nginx, which only looks for the connection's end,
        would not hear of our going for the 30 s that asyncio waits.
        """
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()

    async def body(self) -> bytes:
        """Read the whole body; raises EngineError where it is longer than BODY_LIMIT."""
        parts, size = list[bytes](), 0
        while chunk := await self._read(self._limits.stall):
            parts.append(chunk)
            size += len(chunk)
            if size > BODY_LIMIT:
                raise EngineError("the engine's answer is far too long")
        return b"".join(parts)

    async def events(self, stall: float | None = None) -> AsyncIterator[str]:
        """
        Yield the data of each event until the body ends.

        `stall` replaces the limit between bytes. Raises EngineError when the connection breaks,
        stands still for too long, or carries no event stream.
        """
        if not self.is_stream:
            raise EngineError(f"not an engine's answer: {self._response.content_type}, no stream")
        parser = EventParser()
        limit = self._limits.first
        while chunk := await self._read(limit):
            limit = self._limits.stall if stall is None else stall
            for data in parser.feed(chunk):
                yield data

    async def _read(self, limit: float) -> bytes:
        import aiohttp

        self._http.check_open()
        try:
            return await self._http.within(limit, self._response.content.readany())
        except TimeoutError:
            self._http.check_open()
            self._http.suspect = True
            raise StalledError(f"the engine sent nothing for {limit:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            self._http.suspect = True
            raise EngineError(STOPPED) from error


def without_password(url: str) -> str:
    """Return the URL without user name and password, for messages."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
