"""F08 to F14, F23, F33: messages that are no JSON-RPC, or not as LSP has it."""

from typing import Any

import pytest

from opencoder_lsp.lsp.framing import frame
from tests.fakes.engine import FakeEngine
from tests.faults.session import (
    STATUS,
    ask,
    chat,
    document,
    patched,
    popups,
    suggested,
    works,
)
from tests.protocol.raw import RawServer

NO_JSON = [
    b"nope",
    b"{",
    b"{} {}",
    b'"\x01"',
    b"\xff\xfe\xfd",
    b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"text":"\xc3"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"m","params":[NaN]}',
    b'{"jsonrpc":"2.0","id":1,"method":"m","params":[-Infinity]}',
    b'{"jsonrpc":"2.0","id":1,"method":"m","params":' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
]
NO_JSON_RPC = [
    b"[]",
    b'[{"jsonrpc":"2.0","id":1,"method":"shutdown"}]',
    b"5",
    b'"shutdown"',
    b"null",
    b"{}",
    b'{"id":1,"method":"shutdown"}',
    b'{"jsonrpc":"1.0","id":1,"method":"shutdown"}',
    b'{"jsonrpc":2.0,"id":1,"method":"shutdown"}',
    b'{"jsonrpc":"2.0","id":null,"method":"shutdown"}',
    b'{"jsonrpc":"2.0","id":true,"method":"shutdown"}',
    b'{"jsonrpc":"2.0","id":1.5,"method":"shutdown"}',
    b'{"jsonrpc":"2.0","id":{},"method":"shutdown"}',
    b'{"jsonrpc":"2.0","id":[1],"method":"shutdown"}',
]


@pytest.mark.fault("F08", "F09", "P2")
@pytest.mark.parametrize(("bodies", "code"), [(NO_JSON, -32700), (NO_JSON_RPC, -32600)])
async def test_what_is_no_message_is_answered_without_an_id(
    raw: RawServer, bodies: list[bytes], code: int
) -> None:
    async with raw:
        await raw.initialize()
        await works(raw, "before")
        for number, body in enumerate(bodies):
            raw.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            (refusal,) = await works(raw, number)  # and nothing is shown to the user
            assert (refusal["id"], refusal["error"]["code"]) == (None, code), body[:50]


@pytest.mark.fault("F08")
async def test_a_byte_order_mark_is_passed_over(raw: RawServer) -> None:
    body = b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"shutdown"}'
    async with raw:
        await raw.initialize()
        raw.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert (await raw.response(1))["result"] is None


@pytest.mark.fault("F09")
async def test_a_method_that_is_no_string_is_refused_with_its_id(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        methods: list[Any] = [5, None, [], {}]
        for number, method in enumerate(methods):
            raw.write(frame({"jsonrpc": "2.0", "id": number, "method": method}))
            assert (await raw.response(number))["error"]["code"] == -32600


BAD_REQUESTS: list[tuple[str, Any]] = [
    ("textDocument/inlineCompletion", None),
    ("textDocument/inlineCompletion", []),
    ("textDocument/inlineCompletion", "text"),
    ("textDocument/inlineCompletion", {**ask(0, 0), "position": {"line": "0", "character": 0}}),
    ("textDocument/inlineCompletion", {**ask(0, 0), "position": {"line": -1, "character": 0}}),
    ("textDocument/inlineCompletion", {**ask(0, 0), "position": {"line": 2**31, "character": 0}}),
    ("textDocument/inlineCompletion", {**ask(0, 0), "position": {"line": 2**63, "character": 0}}),
    ("textDocument/inlineCompletion", {**ask(0, 0), "textDocument": {"uri": 5}}),
    ("textDocument/completion", {"textDocument": {"uri": "file:///a"}}),
    ("textDocument/codeAction", {"textDocument": {"uri": "file:///a"}, "range": 5}),
    ("workspace/executeCommand", {"command": 5}),
    ("workspace/executeCommand", {"command": "opencoder.status", "arguments": 5}),
    ("workspace/executeCommand", {"command": "opencoder.status", "arguments": [5]}),
    ("workspace/textDocumentContent", {}),
]
BAD_NOTIFICATIONS: list[tuple[str, Any]] = [
    ("textDocument/didOpen", {}),
    ("textDocument/didOpen", None),
    ("textDocument/didChange", {"textDocument": {"uri": [], "version": 1}}),
    ("textDocument/didChange", {"textDocument": 5, "contentChanges": [{}]}),
    ("textDocument/didClose", {"textDocument": {"uri": 5}}),
    ("textDocument/didSave", {}),
    ("workspace/didChangeConfiguration", 5),
    ("workspace/didChangeConfiguration", {"settings": [1]}),
    ("workspace/didChangeWorkspaceFolders", {"event": {}}),
    ("window/workDoneProgress/cancel", {"token": []}),
    ("$/cancelRequest", {"id": {}}),
    ("$/cancelRequest", None),
    ("$/setTrace", {"value": 5}),
    ("initialized", "again"),
    ("no/such/notification", {}),
    ("$/noSuchNotification", {}),
]


def message_of(method: str, params: Any, **more: Any) -> bytes:
    message = {"jsonrpc": "2.0", "method": method, **more}
    return frame(message if params is None else {**message, "params": params})


@pytest.mark.fault("F11", "P1")
async def test_bad_params_are_refused(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        for number, (method, params) in enumerate(BAD_REQUESTS):
            raw.write(message_of(method, params, id=number))
            error = (await raw.response(number))["error"]
            assert error["code"] == -32602, (method, params)
            assert set(error) == {"code", "message"}


@pytest.mark.fault("F11", "F12")
async def test_a_bad_notification_is_let_pass_in_silence(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        for number, (method, params) in enumerate(BAD_NOTIFICATIONS):
            raw.write(message_of(method, params))
            assert await works(raw, number) == [], (method, params)


@pytest.mark.fault("F13", "P24")
async def test_an_id_under_way_is_refused_and_a_string_is_another_id(
    raw: RawServer, fake: FakeEngine
) -> None:
    method = "workspace/executeCommand"
    async with raw:
        await raw.initialize()
        fake.hold()
        raw.send(method, chat("one"), 5)
        raw.send(method, chat("two"), "5")
        await fake.paused(2)
        assert (await raw.request(5, method, chat("three")))["error"]["code"] == -32600
        fake.resume()
        answers = [await raw.receive() for _ in range(2)]
        assert {type(answer["id"]) for answer in answers} == {int, str}
        assert all(answer["result"]["text"] == "fake .answer" for answer in answers)
        assert (await raw.request(5, *STATUS))["result"]["version"]  # it is free again


@pytest.mark.fault("F23")
async def test_a_request_is_answered_once_however_it_is_cancelled(
    raw: RawServer, fake: FakeEngine
) -> None:
    async with raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", document("x = "))
        assert await suggested(raw, "ready", ask(0, 4)) == "fake .answer"
        nothing: list[Any] = [{"id": "ready"}, {"id": "never"}, {"id": None}, {}, [], {"id": 1.5}]
        for odd in nothing:
            raw.send("$/cancelRequest", odd)
        fake.hold()
        raw.send("workspace/executeCommand", chat("hello"), 7)
        await fake.paused()
        another: list[Any] = [{"id": "7"}, {"id": [7]}, {"id": 7.5}]
        for odd in another:
            raw.send("$/cancelRequest", odd)
        assert await works(raw, "still") == []
        for _ in range(3):
            raw.send("$/cancelRequest", {"id": 7})
        answers = await works(raw, "after")
        assert [(answer["id"], answer["error"]["code"]) for answer in answers] == [(7, -32800)]
        await fake.cancelled()


@pytest.mark.fault("F08", "P2")
async def test_nothing_of_all_this_is_shown_to_the_user(raw: RawServer, fake: FakeEngine) -> None:
    async with raw:
        await raw.initialize()
        await fake.leased()
        for body in [*NO_JSON, *NO_JSON_RPC]:
            raw.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert popups(await works(raw)) == []


# Two handlers that fail on their way: one of them has come to a thread.
FAILING = """
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.lsp import server
def deeper(*arguments):
    return deeper(*arguments) + 1
def fail(*arguments):
    raise {error}("secret in /home/somebody/x.py")
Store.summaries = server.refusal = {function}
"""


@pytest.mark.fault("F33", "P18")
@pytest.mark.parametrize("error", ["MemoryError", "KeyError", "OSError", "RecursionError"])
async def test_a_handler_that_fails_answers_without_what_it_knew(
    env: dict[str, str], fake: FakeEngine, error: str
) -> None:
    function = "deeper" if error == "RecursionError" else "fail"
    async with patched(env, FAILING.format(error=error, function=function)) as raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", document("secret = "))
        requests = [
            ("workspace/executeCommand", {"command": "opencoder.conversations"}),
            ("textDocument/inlineCompletion", ask(0, 9)),
        ]
        for number, (method, params) in enumerate(requests):
            answer = (await raw.request(number, method, params))["error"]
            assert set(answer) == {"code", "message"}
            assert answer["code"] == -32603
            assert error in answer["message"]
            assert "secret" not in answer["message"]
            assert "home" not in answer["message"]
        await works(raw)
        await raw.request("end", "shutdown")
        raw.send("exit")
        assert await raw.exited() == 0
        assert "secret" not in await raw.errors()
