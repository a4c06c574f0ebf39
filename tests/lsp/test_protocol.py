"""What the protocol does where something fails inside it, or a message cannot be read at all."""

import asyncio
import logging
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp.lsp.framing import Frames, TooLarge
from opencoder_lsp.lsp.protocol import Phase, Protocol
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


def opened() -> tuple[Protocol, Sent]:
    """A protocol in the middle of a session, and what it sends."""
    protocol, sent = create_server(Settings()).protocol, Sent()
    protocol.attach(sent)  # type: ignore[arg-type]
    protocol.phase = Phase.OPEN
    return protocol, sent


@pytest.mark.fault("F33")
@pytest.mark.parametrize(
    "result", [{"progress": float("nan")}, {"secret": object()}, float("inf"), {"secret": {1j}}]
)
async def test_a_result_that_is_no_json_is_answered_with_an_error(
    result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    protocol, sent = opened()
    protocol.fm.add_builtin_feature("test/answer", lambda params: result)
    with caplog.at_level(logging.DEBUG):
        protocol.receive({"jsonrpc": "2.0", "id": 1, "method": "test/answer"})
        message = await sent.messages.get()
    assert message["id"] == 1
    assert message["error"]["code"] == -32603
    assert "test/answer" in message["error"]["message"]
    assert "secret" not in message["error"]["message"] + caplog.text


@pytest.mark.fault("F33")
async def test_a_mistake_of_ours_is_an_answer_and_the_next_message_is_handled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    protocol, sent = opened()

    def fail(method: str) -> None:
        raise ValueError("secret")

    with monkeypatch.context() as patched:
        patched.setattr(protocol, "_handler_of", fail)
        protocol.receive({"jsonrpc": "2.0", "method": "a/notification"})
        protocol.receive({"jsonrpc": "2.0", "id": 1, "method": "a/request"})
    message = await sent.messages.get()
    assert (message["id"], message["error"]["code"]) == (1, -32603)
    assert "secret" not in message["error"]["message"] + caplog.text
    protocol.receive({"jsonrpc": "2.0", "id": 2, "method": "a/request"})
    assert (await sent.messages.get())["error"]["code"] == -32601


@pytest.mark.fault("F33", "P18")
@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyError, StopAsyncIteration])
async def test_whatever_a_handler_raises_is_an_error_without_its_text(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    protocol, sent = opened()

    async def fail(params: object) -> None:
        raise error("secret")

    protocol.fm.add_builtin_feature("test/fail", fail)
    protocol.receive({"jsonrpc": "2.0", "id": 1, "method": "test/fail"})
    message = await sent.messages.get()
    assert message["error"]["code"] == -32603
    assert set(message["error"]) == {"code", "message"}
    assert error.__name__ in message["error"]["message"]
    assert "/" not in message["error"]["message"].replace("test/fail", "")
    assert "secret" not in message["error"]["message"] + caplog.text


@pytest.mark.fault("F05")
@pytest.mark.parametrize("opens", [True, False])
async def test_a_message_that_is_too_large_is_told_once_and_puts_documents_out_of_step(
    opens: bool,
) -> None:
    protocol, sent = opened()
    document = protocol._server.documents.open(types.TextDocumentItem("u", "python", 1, "x"))
    for _ in range(2):
        protocol.receive(TooLarge("a message of 70000000 bytes is larger than 67108864", opens))
    shown, *answers = [await sent.messages.get() for _ in range(3)]
    assert shown["method"] == "window/showMessage"
    assert "64 MiB" in shown["params"]["message"]
    assert [(answer["id"], answer["error"]["code"]) for answer in answers] == [(None, -32700)] * 2
    assert document.in_sync is opens


@pytest.mark.fault("F14", "P21")
async def test_an_answer_to_a_question_that_was_given_up_is_let_pass() -> None:
    protocol, sent = opened()
    question = asyncio.ensure_future(
        protocol._server.window_show_document_async(types.ShowDocumentParams("file:///a"))
    )
    asked = await sent.messages.get()
    question.cancel()
    await asyncio.wait({question})
    late = {"jsonrpc": "2.0", "id": asked["id"], "result": {"success": True}}
    for answer in (late, late, {**late, "id": "never asked"}, {"jsonrpc": "2.0", "result": 1}):
        protocol.receive(answer)
    assert sent.messages.empty()


@pytest.mark.fault("F14")
@pytest.mark.parametrize(
    "answer",
    [{"result": {}}, {"result": 5}, {"error": 5}, {"error": {"message": "no"}}, {}],
)
async def test_a_bad_answer_to_a_question_ends_the_wait_for_it(answer: dict[str, Any]) -> None:
    protocol, sent = opened()
    question = asyncio.ensure_future(
        protocol._server.window_show_document_async(types.ShowDocumentParams("file:///a"))
    )
    asked = await sent.messages.get()
    protocol.receive({"jsonrpc": "2.0", "id": asked["id"], **answer})
    with pytest.raises(JsonRpcException):
        await question
