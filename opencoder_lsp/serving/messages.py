"""Bodies of requests, and server-sent events."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

from opencoder_lsp.serving.refusals import RefusedError

BODY_LIMIT = 8 * 1024 * 1024  # bytes
SLOWEST = 65536  # bytes per second, of a client that is not waited for
DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


async def read_body(request: Request, patience: float | None = None) -> bytes:
    """
    Return the body; raises RefusedError for one longer than BODY_LIMIT, or cut short.

    It may take `patience` seconds (None for any time), and one more for each SLOWEST bytes.
    """
    body = bytearray()
    too_long = RefusedError(413, f"the body is longer than {BODY_LIMIT} bytes")
    if int(request.headers.get("content-length", "0")) > BODY_LIMIT:
        raise too_long
    try:
        async with asyncio.timeout(patience) as limit:
            start = limit.when()
            async for part in request.stream():
                body += part
                if len(body) > BODY_LIMIT:
                    raise too_long
                if start is not None:
                    limit.reschedule(start + len(body) / SLOWEST)
    except ClientDisconnect:
        raise RefusedError(400, "the body ended early") from None
    except TimeoutError:
        raise RefusedError(408, "the body did not come in time") from None
    return bytes(body)


def sse(data: Mapping[str, Any]) -> bytes:
    """Return one server-sent event; JSON keeps line ends out of it."""
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"
