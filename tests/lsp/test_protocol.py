"""What the protocol sends, where a handler returned what cannot be sent."""

import asyncio
import logging
from typing import Any

import pytest

from opencoder_lsp.lsp.framing import Frames
from opencoder_lsp.lsp.protocol import Phase
from opencoder_lsp.lsp.server import create_server
from opencoder_lsp.settings import Settings


class Sent:
    """Takes the place of the writer and keeps the messages."""

    def __init__(self) -> None:
        self.messages = asyncio.Queue[Any]()
        self._frames = Frames()

    def write(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            self.messages.put_nowait(message)


@pytest.mark.parametrize(
    "result", [{"progress": float("nan")}, {"secret": object()}, float("inf"), {"secret": {1j}}]
)
async def test_a_result_that_is_no_json_is_answered_with_an_error(
    result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    protocol = create_server(Settings()).protocol
    sent = Sent()
    protocol.attach(sent)  # type: ignore[arg-type]
    protocol.phase = Phase.OPEN
    protocol.fm.add_builtin_feature("test/answer", lambda params: result)
    with caplog.at_level(logging.DEBUG):
        protocol.receive({"jsonrpc": "2.0", "id": 1, "method": "test/answer"})
        message = await sent.messages.get()
    assert message["id"] == 1
    assert message["error"]["code"] == -32603
    assert "test/answer" in message["error"]["message"]
    assert "secret" not in message["error"]["message"] + caplog.text
