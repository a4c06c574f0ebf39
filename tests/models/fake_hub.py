"""A small model hub on a local port: the routes of the Hugging Face hub that a pull uses."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """
    Serves `files` as the repository `hub_id`, from `with` to its end, at `url`.

    `cut[name] = n` ends the next answer for that file after n bytes; `rotten` names files whose
    bytes differ from the announced hash; `requests` lists (path, Range header or "").
    """

    hub_id: str
    files: dict[str, bytes]
    revision: str = REVISION
    cut: dict[str, int] = field(default_factory=dict)
    rotten: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start to serve."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to serve."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fetched(self) -> list[str]:
        """Return the names of the files that were asked for, in order."""
        mark = f"/resolve/{self.revision}/"
        return [path.partition(mark)[2] for path, _ in self.requests if mark in path]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        span = request.headers.get("Range", "")
        self.requests.append((path, span))
        name = path.removeprefix(f"/{self.hub_id}/resolve/{self.revision}/")
        if path == f"/api/models/{self.hub_id}":
            self._send(request, 200, json.dumps(self._describe()).encode(), "application/json")
        elif name in self.files:
            self._send_file(request, name, span)
        else:
            request.send_response(404)
            request.send_header("X-Error-Code", "RepoNotFound")
            request.send_header("Content-Length", "0")
            request.end_headers()

    def _describe(self) -> dict[str, object]:
        siblings = list[dict[str, object]]()
        for name, content in self.files.items():
            sibling: dict[str, object] = {"rfilename": name, "size": len(content)}
            if name.endswith((".bin", ".safetensors")):
                digest = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
                sibling["blobId"] = hashlib.sha1(name.encode()).hexdigest()
            else:
                blob = b"blob %d\0" % len(content) + content
                sibling["blobId"] = hashlib.sha1(blob).hexdigest()
            siblings.append(sibling)
        return {"id": self.hub_id, "sha": self.revision, "siblings": siblings}

    def _send_file(self, request: BaseHTTPRequestHandler, name: str, span: str) -> None:
        content = self.files[name]
        if name in self.rotten:
            content = bytes([content[0] ^ 1]) + content[1:]
        start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        cut = self.cut.pop(name, None)
        request.send_response(206 if span else 200)
        request.send_header("X-Repo-Commit", self.revision)
        request.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        request.wfile.write(content[start : None if cut is None else start + cut])
        if cut is not None:
            request.close_connection = True

    def _send(self, request: BaseHTTPRequestHandler, status: int, body: bytes, kind: str) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
