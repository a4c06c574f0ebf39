"""
Who may read the conversations: the browser that opened the address which `serve` has printed.

That address holds a token that works once. It gives the browser a cookie, which no script can read,
and a key, which the page keeps for its own origin and sends as a header. Both are needed: browsers
send a cookie to every port of a host, so that a server of another account would hear it.
"""

import hmac
import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

KEY_HEADER = "x-opencoder-session"
_BYTES = 32


class Sessions:
    """The sessions of one server; they end with it. `port` keeps the cookies of several apart."""

    def __init__(self) -> None:
        self.port = 0
        self.opened: Callable[[], object] = lambda: None  # what hears of each new session
        self._token: str | None = None
        self._sessions: dict[str, str] = {}  # the key of each cookie

    def one_time_path(self) -> str:
        """Return a new one-time address, without the host; the one before works no more."""
        self._token = secrets.token_urlsafe(_BYTES)
        return f"/?token={self._token}"

    def open(self, token: str) -> tuple[str, str] | None:
        """Return cookie and key of a new session; None if the token is not right, or was used."""
        if self._token is None or not _same(token, self._token):
            return None
        self._token = None
        cookie, key = secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES)
        self._sessions[cookie] = key
        self.opened()
        return cookie, key

    @property
    def cookie_name(self) -> str:
        """The name of the cookie."""
        return f"opencoder-{self.port}"

    def has_cookie(self, headers: Headers) -> bool:
        """Whether a request comes from a browser of ours, which is enough for the page's files."""
        return self._key(headers) is not None

    def knows(self, headers: Headers) -> bool:
        """Whether a request comes from our page in a browser of ours."""
        key = self._key(headers)
        return key is not None and _same(headers.get(KEY_HEADER, ""), key)

    def _key(self, headers: Headers) -> str | None:
        try:
            jar = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return None
        given = jar[self.cookie_name].value if self.cookie_name in jar else ""
        found = None
        for cookie, key in self._sessions.items():
            if _same(given, cookie):
                found = key
        return found


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
