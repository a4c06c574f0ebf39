"""A server that says the same bytes to everybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from opencoder_lsp.client.engine import EngineClient, Limits

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def stranger(
    path: Path, said: bytes, *, stay: bool = False, limits: Limits | None = None
) -> AsyncIterator[EngineClient]:
    """Yield a client of a server that says `said` to everybody, then hangs up (or stays)."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        if stay:
            await gone.wait()
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    client = EngineClient(f"unix:{path}", limits=limits)
    try:
        yield client
    finally:
        await client.close()
        gone.set()
        server.close()


def http(status: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}"
    return f"{head}\r\nConnection: close\r\n\r\n".encode() + body
