"""
Who may ask: the one place where a request's Host, Origin, key and content type are looked at.

On loopback without keys the API is for the programs of this machine, so web pages are kept out: by
Host those that had their own name point here, by Origin all others, and by content type the forms
that a page can send without asking. With keys every route but OPEN needs one.
"""

import base64
import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opencoder_lsp.api.keys import Keys
from opencoder_lsp.serving.refusals import RefusedError, refusal

OPEN = "/health"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{1,5}))?")
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type",
    "access-control-max-age": "600",
}


@dataclass(frozen=True)
class Policy:
    """
    Where the server is bound and whom it lets in. `origins` are web pages that may ask, `names`
    further hosts under which it is known.
    """

    host: str
    port: int
    keys: Keys | None = None
    origins: frozenset[str] = field(default_factory=frozenset)
    names: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @cached_property
    def _hosts(self) -> frozenset[str]:
        own = f"[{self.host}]" if ":" in self.host else self.host
        return frozenset({own, "localhost", "127.0.0.1", "[::1]", *self.names})

    def knows_host(self, value: str) -> bool:
        """
        Whether a Host header is one of ours.

        Off loopback any address will do, and any port, which may be mapped: a page on another name
        cannot have either. 0.0.0.0 is no address of anything.
        """
        match = _HOST.fullmatch(value.lower())
        if match is None:
            return False
        host, port = match[1], match[2]
        if host in self.names:
            return True
        if self.is_loopback:
            return host in self._hosts and int(port or 80) == self.port
        address = _address(host)
        if address is not None:
            return not address.is_unspecified
        return host in self._hosts or host == socket.gethostname().lower()

    def knows_origin(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may ask: it is ours, or was named at the start."""
        return origin in self.origins or origin.lower() in (f"http://{host}", f"https://{host}")


class Guard:
    """
    Lets requests through to `app`, or answers them itself.

    `is_page` says whether one is of the chat page, in a browser that needs no key.
    """

    def __init__(
        self, app: ASGIApp, policy: Policy, is_page: Callable[[Scope, Headers], bool]
    ) -> None:
        self._app = app
        self._policy = policy
        self._is_page = is_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on, as ASGI asks."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        try:
            self._check_page(scope, headers)
            if scope["method"] == "OPTIONS" and origin:
                app: ASGIApp = Response(status_code=204, headers=_PREFLIGHT)
            else:
                scope["state"]["key"] = self._check_key(scope, headers)
                _check_content_type(scope["method"], headers)
                app = self._app
        except RefusedError as error:
            app = refusal(error)
            if error.status == 401:
                app.headers["www-authenticate"] = "Bearer"
        shared = origin if origin in self._policy.origins else None
        await app(scope, receive, _with_headers(send, shared))

    def _check_page(self, scope: Scope, headers: Headers) -> None:
        """Raise RefusedError (403) for what only a web page or a proxy of its would send."""
        host = headers.get("host", "")
        if not scope["path"].startswith("/") or not self._policy.knows_host(host):
            message = (
                "this name of the server is not known here; to reach it by this one, start it with "
                "--allow-host"
            )
            raise RefusedError(403, message, code="host_not_allowed")
        for origin in headers.getlist("origin"):
            if not self._policy.knows_origin(origin, host.lower()):
                message = (
                    "web pages of this origin may not ask; to let them, start the server with "
                    "--cors-origin"
                )
                raise RefusedError(403, message, code="origin_not_allowed")

    def _check_key(self, scope: Scope, headers: Headers) -> str:
        """Return the name of the request's key, "" where none is needed; or raise (401)."""
        keys = self._policy.keys
        if keys is None or scope["path"] == OPEN or self._is_page(scope, headers):
            return ""
        given = headers.getlist("authorization")
        name = keys.name_of(_key_of(given[0])) if len(given) == 1 else None
        if name is None:
            message = "give one of the server's keys, as Authorization: Bearer KEY"
            raise RefusedError(401, message, code="invalid_api_key")
        return name


def _key_of(header: str) -> bytes:
    """
    Return the key in a header, b"" for none: OpenAI's clients give it as a bearer token, and a
    front elsewhere as the password in its `engine.url`.
    """
    scheme, _, value = header.partition(" ")
    given = value.strip().encode("latin-1")
    if scheme.lower() == "bearer":
        return given
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _check_content_type(method: str, headers: Headers) -> None:
    """Raise RefusedError (415): pages may send other types without asking first."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method not in ("GET", "HEAD", "OPTIONS") and kind != "application/json":
        raise RefusedError(415, "the content type has to be application/json")


def _with_headers(send: Send, origin: str | None) -> Send:
    """Return `send`, which tells browsers to keep what we say from other pages."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["x-content-type-options"] = "nosniff"
            headers["cross-origin-resource-policy"] = "same-origin"
            if origin is not None:
                headers["access-control-allow-origin"] = origin
                headers.add_vary_header("Origin")
        await send(message)

    return sending


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    address = _address(host)
    return address is not None and address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
