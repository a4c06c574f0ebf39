"""Clients that send too much, too slowly, or do not read."""

import asyncio
import json

import pytest

from opencoder_lsp.api import app as app_module
from opencoder_lsp.api.server import Protocol
from tests.api.conftest import HELLO, Api, request, status_of
from tests.fakes.engine import FakeEngine


@pytest.mark.fault("F41", "S14")
async def test_a_body_that_is_too_long_is_refused(api: Api) -> None:
    head = f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n".encode()
    head += b"Content-Type: application/json\r\n"
    for length, piece in [(b"Content-Length: 104857600", b" " * 65536)] + [
        (b"Transfer-Encoding: chunked", b"10000\r\n" + b" " * 65536 + b"\r\n")
    ]:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(head + length + b"\r\n\r\n")
        answer = asyncio.create_task(reader.readuntil(b"\r\n"))
        while not answer.done():
            writer.write(piece)
            await writer.drain()
        assert b" 413 " in await answer
        writer.close()
    assert await api.ask()


@pytest.mark.fault("F41", "S14")
async def test_a_head_that_is_too_long_is_refused(api: Api) -> None:
    own = f"127.0.0.1:{api.port}".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: " + own + b"\r\nX: " + b"x" * 40_000)
    assert status_of(await reader.read()) == 431
    writer.close()
    assert status_of(await api.raw(b"\x16\x03\x01 what a TLS client says\r\n\r\n")) == 400
    assert await api.ask()


@pytest.mark.fault("F41")
async def test_a_body_that_does_not_come_is_given_up(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "_BODY_SECONDS", 0.05)
    head = f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n".encode()
    head += b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(head)
    assert b" 408 " in await reader.readuntil(b"\r\n")
    writer.close()


@pytest.mark.fault("F41")
async def test_connections_that_say_nothing_or_half_a_head_are_closed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Protocol, "head_seconds", 0.05)
    assert await api.raw(b"") == b""
    monkeypatch.setattr(Protocol, "head_seconds", 0.5)  # to begin with a head takes some time
    assert status_of(await api.raw(b"GET /v1/models HTTP/1.1\r\nHost:")) == 408
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    whole = request(f"127.0.0.1:{api.port}".encode()).replace(b"Connection: close\r\n", b"")
    writer.write(whole)
    await reader.readuntil(b"}]}")
    writer.write(whole[:9])
    assert status_of(await reader.read()) == 408
    writer.close()


@pytest.mark.fault("F41")
async def test_many_idle_connections_keep_nobody_out(api: Api) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(300)]
    assert await api.ask()
    for _, writer in idle:
        writer.close()


@pytest.mark.fault("F48")
async def test_a_client_that_does_not_read_is_hung_up_on(
    api: Api, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Protocol, "stall_seconds", 0.05)
    fake.answer(["x" * 100_000] * 200)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1024)
    body = json.dumps({"messages": HELLO, "stream": True, "max_tokens": 500}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await fake.cancelled()
    writer.close()
    assert await api.ask()
