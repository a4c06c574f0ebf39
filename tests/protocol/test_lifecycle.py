"""The life of a session, for any server that speaks LSP over stdio."""

import pytest

from tests.fakes.engine import FakeEngine
from tests.protocol.raw import INITIALIZE, RawServer

DOCUMENT = {
    "textDocument": {
        "uri": "file:///project/a.py",
        "languageId": "python",
        "version": 1,
        "text": "x = ",
    }
}
ASK = {
    "textDocument": {"uri": "file:///project/a.py"},
    "position": {"line": 0, "character": 4},
    "context": {"triggerKind": 2},
}


async def test_initialize_is_answered_with_inline_completion_among_the_capabilities(
    raw: RawServer,
) -> None:
    async with raw:
        result = (await raw.initialize())["result"]
    assert result["capabilities"]["inlineCompletionProvider"] not in (None, False)


@pytest.mark.fault("F15", "P4")
async def test_a_request_before_initialize_is_refused(raw: RawServer) -> None:
    async with raw:
        response = await raw.request(1, "textDocument/inlineCompletion", ASK)
        assert response["error"]["code"] == -32002
        assert "result" in await raw.initialize()


@pytest.mark.fault("F15")
async def test_a_notification_before_initialize_is_dropped(raw: RawServer) -> None:
    async with raw:
        raw.send("textDocument/didOpen", DOCUMENT)
        await raw.initialize()
        response = await raw.request(1, "textDocument/inlineCompletion", ASK)
        assert response["result"] in (None, [], {"items": []})


@pytest.mark.fault("F16", "P5")
async def test_a_second_initialize_is_refused_and_changes_nothing(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        response = await raw.request(2, "initialize", INITIALIZE)
        assert response["error"]["code"] == -32600
        assert (await raw.request(3, "shutdown"))["result"] is None


async def test_initialize_and_shutdown_without_an_id_are_dropped(
    raw: RawServer, fake: FakeEngine
) -> None:
    async with raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", DOCUMENT)
        raw.send("initialize", INITIALIZE)
        raw.send("shutdown")
        invoked = {**ASK, "context": {"triggerKind": 1}}
        response = await raw.request(1, "textDocument/inlineCompletion", invoked)
        assert response["result"]["items"]


@pytest.mark.fault("F17", "P6")
async def test_a_request_after_shutdown_is_refused(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        await raw.request(1, "shutdown")
        for number, method in enumerate(("textDocument/inlineCompletion", "shutdown"), 2):
            response = await raw.request(number, method, ASK if number == 2 else None)
            assert response["error"]["code"] == -32600
        raw.send("exit")
        assert await raw.exited() == 0


@pytest.mark.fault("F18")
async def test_exit_after_shutdown_ends_with_code_0(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        await raw.request(1, "shutdown")
        raw.send("exit")
        assert await raw.exited() == 0


@pytest.mark.fault("F18", "P7")
async def test_exit_without_shutdown_ends_with_code_1(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        raw.send("exit")
        assert await raw.exited() == 1


@pytest.mark.fault("F15")
async def test_exit_before_initialize_ends_with_code_1(raw: RawServer) -> None:
    async with raw:
        raw.send("exit")
        assert await raw.exited() == 1


@pytest.mark.fault("F18", "P8")
async def test_the_server_ends_with_its_input(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        raw.close_input()
        assert await raw.exited() in (0, 1)


@pytest.mark.fault("F12")
async def test_an_unknown_request_is_refused_and_an_unknown_notification_is_not(
    raw: RawServer,
) -> None:
    async with raw:
        await raw.initialize()
        for method in ("no/such/method", "$/noSuchMethod"):
            raw.send(method, {})
            response = await raw.request(method, method, {})
            assert response["error"]["code"] == -32601


@pytest.mark.fault("P24")
@pytest.mark.parametrize("request_id", [7, "7", 0, "", -1])
async def test_an_answer_has_the_id_of_its_request(raw: RawServer, request_id: int | str) -> None:
    async with raw:
        await raw.initialize()
        response = await raw.request(request_id, "shutdown")
        assert response["id"] == request_id
        assert type(response["id"]) is type(request_id)


@pytest.mark.fault("F11", "P1")
async def test_bad_params_are_refused(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        bad = [
            {},
            [],
            {**ASK, "position": {"line": -1, "character": 0}},
            {**ASK, "position": {"line": 2**31, "character": 0}},
            {**ASK, "textDocument": None},
        ]
        for number, params in enumerate(bad):
            response = await raw.request(number, "textDocument/inlineCompletion", params)
            assert response["error"]["code"] == -32602, params


@pytest.mark.fault("F10", "P3")
async def test_a_jsonrpc_key_inside_params_is_only_data(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        params = {**ASK, "extra": {"jsonrpc": "2.0", "id": 5, "method": "exit"}}
        response = await raw.request(1, "textDocument/inlineCompletion", params)
        assert response["id"] == 1
        assert "error" not in response
