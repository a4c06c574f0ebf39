"""Bodies of requests, and server-sent events."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

from opencoder_lsp.serving.refusals import RefusedError

BODY_LIMIT = 8 * 1024 * 1024  # bytes
DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """Return the body; raises RefusedError for one of more than `limit` bytes, or cut short."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > limit:
                raise RefusedError(413, f"the body is longer than {limit} bytes")
    except ClientDisconnect:
        raise RefusedError(400, "the body ended early") from None
    return bytes(body)


def sse(data: Mapping[str, Any]) -> bytes:
    """Return one server-sent event; JSON keeps line ends out of it."""
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"
