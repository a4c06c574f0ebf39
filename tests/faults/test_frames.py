"""F01 to F07: bytes that are not framed as they should be."""

import asyncio
import json

import psutil
import pytest

from opencoder_lsp.lsp.framing import frame
from tests.fakes.engine import FakeEngine
from tests.faults.session import STATUS, ask, document, popups, suggested, works
from tests.protocol.raw import INITIALIZE, RawServer


def status(request_id: int) -> bytes:
    """The body of a request that is answered."""
    method, params = STATUS
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return json.dumps(message).encode()


@pytest.mark.fault("F01", "F02")
async def test_headers_of_any_sort_are_taken(raw: RawServer) -> None:
    content_type = b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"
    forms = [
        b"content-length:%d\r\n\r\n",
        b"CONTENT-LENGTH: %d\r\n\r\n",
        b"Content-Length:    %d   \r\n\r\n",
        content_type + b"Content-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\n" + content_type + b"\r\n",
        b"X-One: 1\r\nContent-Length: %d\r\nX-Two: 2\r\n\r\n",
        b"Content-Length: %d\n\n",
        b"\r\n\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: 7\r\nContent-Length: %d\r\n\r\n",
    ]
    async with raw:
        await raw.initialize()
        for number, form in enumerate(forms):
            body = status(number)
            raw.write(form % len(body) + body)
            assert "result" in await raw.response(number), form


@pytest.mark.fault("F03")
@pytest.mark.parametrize("off", [-1, 1, -20, 20])
async def test_a_length_that_is_wrong_is_answered_once_and_then_passed_over(
    raw: RawServer, off: int
) -> None:
    async with raw:
        await raw.initialize()
        await works(raw)
        body = status(1)
        raw.write(b"Content-Length: %d\r\n\r\n%b" % (len(body) + off, body))
        refusals = await works(raw, 2)
        assert [(m["id"], m["error"]["code"]) for m in refusals] == [(None, -32700)]


@pytest.mark.fault("F04")
@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 0",
        b"Content-Length: -5",
        b"Content-Length: abc",
        b"Content-Length:",
        b"X-Other: 1",
        b"GET / HTTP/1.1\r\nHost: localhost",
        b"\x00\xff\x00",
    ],
)
async def test_a_header_without_a_length_is_no_end(raw: RawServer, header: bytes) -> None:
    async with raw:
        await raw.initialize()
        raw.write(header + b"\r\n\r\n" + status(1) + b"\r\n")
        await works(raw, 2)


@pytest.mark.fault("F05", "P15")
@pytest.mark.parametrize("length", [2**31, 20 * 10**9, 10**20])
async def test_a_length_that_nobody_means_ends_the_server(raw: RawServer, length: int) -> None:
    async with raw:
        await raw.initialize()
        raw.write(b"Content-Length: %d\r\n\r\n{" % length)
        assert await raw.exited() == 1
        assert "cannot be followed" in await raw.errors()


@pytest.mark.fault("F05", "P15")
async def test_a_file_of_70_mb_is_not_opened_and_disturbs_nothing(
    raw: RawServer, fake: FakeEngine
) -> None:
    async with raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", document("x = "))
        assert await suggested(raw, 1, ask(0, 4)) == "fake .answer"
        process = psutil.Process(raw.process.pid)
        before = process.memory_info().rss
        for _ in range(2):
            raw.send("textDocument/didOpen", document("x" * 70_000_000, "file:///project/big.py"))
        messages = await works(raw)
        assert process.memory_info().rss < before + 20_000_000
        (shown,) = popups(messages)
        assert "64 MiB" in shown
        assert await suggested(raw, 2, ask(0, 4)) == "fake .answer"
        assert await suggested(raw, 3, ask(0, 4, "file:///project/big.py")) is None


@pytest.mark.fault("F06")
@pytest.mark.parametrize(
    "data", [b"Content-Length: 1000\r\n\r\n{ 'half", b"Content-Length: 10\r\n"]
)
async def test_a_message_that_never_ends_ends_with_the_input(raw: RawServer, data: bytes) -> None:
    async with raw:
        await raw.initialize()
        raw.write(data)
        raw.close_input()
        assert await raw.exited() == 1


@pytest.mark.fault("F07")
async def test_a_session_comes_byte_by_byte(raw: RawServer) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
    async with raw:
        assert raw.process.stdin is not None
        for byte in frame(message):
            raw.write(bytes([byte]))
            await raw.process.stdin.drain()
            await asyncio.sleep(0)  # each is a write of its own
        assert "result" in await raw.response(1)


@pytest.mark.fault("F07")
async def test_200_messages_in_one_write_are_answered_in_order(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        raw.write(b"".join(frame(json.loads(status(number))) for number in range(200)))
        answered = [(await raw.response(number))["id"] for number in range(200)]
    assert answered == list(range(200))
