"""
The files of the chat page, as they lie in `web/`, each with a route of its own.

No page of ours may run anything but these files, load anything from elsewhere, or make HTML out of
text, which `trusted-types 'none'` forbids to scripts altogether.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from opencoder_lsp.api.sessions import Sessions

FOLDER = Path(__file__).parent / "web"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "vary": "accept-encoding",
}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_USED = "This address has been used, or is not right. `opencoder-lsp serve` prints a new one."


@dataclass(frozen=True)
class PageFile:
    """A file that browsers may have."""

    path: Path

    @cached_property
    def packed(self) -> bytes:
        """The file, compressed."""
        return gzip.compress(self.path.read_bytes(), mtime=0)

    @cached_property
    def tag(self) -> str:
        """What a browser compares its copy by."""
        return f'"{hashlib.sha256(self.packed).hexdigest()[:32]}"'

    def answer(self, request: Request) -> Response:
        """Return the file, compressed if the client takes that, or that it has not changed."""
        headers = {**_HEADERS, "etag": self.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        headers["content-type"] = _TYPES[self.path.suffix]
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, headers={**headers, "content-encoding": "gzip"})
        return Response(self.path.read_bytes(), headers=headers)


class Page:
    """The routes of the page; `paths` are those that its files are at."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._index = PageFile(FOLDER / "index.html")
        files = sorted(path for path in FOLDER.rglob("*") if path.suffix in _TYPES)
        self.routes = [Route("/", self._open, methods=["GET"])]
        self.routes += [self._route(path) for path in files if path != self._index.path]
        self.paths = frozenset(route.path for route in self.routes)

    async def _open(self, request: Request) -> Response:
        """Give the page; a token that is right gives a session first."""
        token = request.query_params.get("token")
        if token is None:
            return self._index.answer(request)
        opened = self._sessions.open(token)
        if opened is None:
            return Response(_USED, 403, media_type="text/plain")
        cookie, key = opened
        response = RedirectResponse(f"/#session={key}", 303, headers={"cache-control": "no-store"})
        response.headers["referrer-policy"] = "no-referrer"
        response.set_cookie(self._sessions.cookie_name, cookie, httponly=True, samesite="strict")
        return response

    def _route(self, path: Path) -> Route:
        file = PageFile(path)

        async def give(request: Request) -> Response:
            return file.answer(request)

        return Route(f"/{path.relative_to(FOLDER).as_posix()}", give, methods=["GET"])
