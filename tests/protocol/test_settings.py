"""Settings from the editor: taken, refused with one warning, never a failed initialize."""

from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types

from opencoder_lsp.lsp.framing import frame
from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, capabilities
from tests.protocol.raw import RawServer


def warnings(editor: Editor) -> list[str]:
    return [m.message for m in editor.messages if m.type == types.MessageType.Warning]


async def test_settings_of_initialize_count(start: StartEditor, fake: FakeEngine) -> None:
    editor = await start(settings={"completion": {"max_tokens": 5}, "chat.temperature": 0.0})
    editor.open("x")
    await editor.complete(0, 1)
    await editor.command("opencoder.chat", {"message": "Hello"})
    assert fake.requests[0]["max_tokens"] == 5 + 1  # the forced prefix is one token
    assert fake.requests[1]["temperature"] == 0
    assert editor.messages == []


async def test_settings_are_asked_for_where_the_editor_can_be_asked(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(
        capabilities(configuration=True),
        settings={"completion": {"max_tokens": 5, "temperature": 0.5}},
        configuration={"completion": {"max_tokens": 7}},
    )
    editor.open("x")
    await editor.complete(0, 1)
    assert fake.requests[0]["max_tokens"] == 7 + 1
    assert fake.requests[0]["temperature"] == 0.5


async def test_changed_settings_count_from_then_on(start: StartEditor, fake: FakeEngine) -> None:
    editor = await start(capabilities(configuration=True), configuration={})
    editor.open("x = ")
    assert len(await editor.complete(0, 4)) == 1
    editor.set_configuration({"opencoder": {"completion": {"enabled": False}}})
    change = types.DidChangeConfigurationParams(settings=None)
    editor.workspace_did_change_configuration(change)
    await editor.command("opencoder.status")  # answered after the server has asked us
    assert await editor.complete(0, 4) == []


async def test_settings_pushed_by_an_editor_that_cannot_be_asked_count(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ")
    pushed = {"opencoder": {"completion": {"enabled": False}}, "other": 1}
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(pushed))
    assert await editor.complete(0, 4) == []


async def test_what_is_wrong_is_told_once_and_the_rest_counts(
    start: StartEditor, fake: FakeEngine
) -> None:
    bad = {"completion": {"max_tokens": -1, "colour": "red"}, "engine": {"url": "http://evil"}}
    editor = await start(
        capabilities(configuration=True),
        settings={**bad, "chat": {"max_tokens": 9}},
        configuration=bad,
    )
    status = await editor.command("opencoder.status")
    assert len(status["warnings"]) == len(set(status["warnings"])) >= 3
    await editor.until(lambda: len(warnings(editor)) >= 3)
    told = warnings(editor)
    assert len(told) == len(set(told))
    assert any("completion.max_tokens" in text for text in told)
    assert any("completion.colour" in text and "known" in text for text in told)
    assert any("engine.url is not taken from the editor" in text for text in told)
    await editor.command("opencoder.chat", {"message": "Hello"})
    assert fake.requests[0]["max_tokens"] == 9


@pytest.mark.parametrize("answers", [True, False])
async def test_settings_are_asked_for_where_the_editor_refuses_to_tell_of_changes(
    raw: RawServer, fake: FakeEngine, answers: bool
) -> None:
    change = {"didChangeConfiguration": {"dynamicRegistration": True}}
    async with raw:
        await raw.initialize(capabilities={"workspace": {"configuration": True, **change}})
        while (message := await raw.receive()).get("method") != "workspace/configuration":
            if message.get("method") == "client/registerCapability" and answers:
                error = {"code": -32601, "message": "no such method"}
                raw.write(frame({"jsonrpc": "2.0", "id": message["id"], "error": error}))
        section = {"completion": {"colour": "red"}}
        raw.write(frame({"jsonrpc": "2.0", "id": message["id"], "result": [section]}))
        while (message := await raw.receive()).get("method") != "window/showMessage":
            pass
        assert "completion.colour" in message["params"]["message"]


@pytest.mark.parametrize(
    "answer", [{"error": {"code": -32601, "message": "no"}}, {"result": None}, {"result": 5}]
)
async def test_an_editor_that_does_not_tell_its_settings_leaves_those_that_there_are(
    raw: RawServer, fake: FakeEngine, answer: dict[str, Any]
) -> None:
    options = {"settings": {"chat": {"max_tokens": 9}}}
    capabilities = {"workspace": {"configuration": True}}
    async with raw:
        await raw.initialize(capabilities=capabilities, initializationOptions=options)
        while (message := await raw.receive()).get("method") != "workspace/configuration":
            pass
        raw.write(frame({"jsonrpc": "2.0", "id": message["id"], **answer}))
        command = {"command": "opencoder.chat", "arguments": [{"message": "Hello"}]}
        assert (await raw.request("chat", "workspace/executeCommand", command))["result"]
        raw.close_input()
        await raw.exited()
    assert fake.requests[0]["max_tokens"] == 9
    assert "ERROR" not in await raw.errors()


async def asked_late(raw: RawServer) -> Callable[[Any], bytes]:
    """Initialize; return what makes the answer to the server's question for our settings."""
    await raw.initialize(capabilities={"workspace": {"configuration": True}})
    while (message := await raw.receive()).get("method") != "workspace/configuration":
        pass
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    return lambda section: frame({**answer, "result": [section]})


async def test_a_late_answer_that_changes_nothing_ends_no_suggestion(
    raw: RawServer, fake: FakeEngine
) -> None:
    uri = "file:///project/a.py"
    item = {"uri": uri, "languageId": "python", "version": 1, "text": "x = "}
    ask = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 4}}
    fake.pause_after(1)
    async with raw:
        answer = await asked_late(raw)
        raw.send("textDocument/didOpen", {"textDocument": item})
        raw.send("textDocument/inlineCompletion", {**ask, "context": {"triggerKind": 1}}, 1)
        await fake.paused()
        raw.write(answer({}))
        raw.send("workspace/executeCommand", {"command": "opencoder.status"}, 2)
        while (message := await raw.receive()).get("id") != 2:
            assert message.get("id") != 1
        fake.resume()
        assert (await raw.response(1))["result"]["items"]


async def test_settings_count_for_the_very_next_message(raw: RawServer, fake: FakeEngine) -> None:
    async with raw:
        answer = await asked_late(raw)
        command = {"command": "opencoder.status"}
        request = {"id": 1, "method": "workspace/executeCommand", "params": command}
        raw.write(answer({"completion": {"colour": "red"}}) + frame({"jsonrpc": "2.0", **request}))
        (warning,) = (await raw.response(1))["result"]["warnings"]
        assert "completion.colour" in warning


@pytest.mark.parametrize(
    "options", [None, [], "text", 5, {"settings": 3}, {"settings": None}, {"unknown": {}}]
)
async def test_no_initialization_options_fail_initialize(raw: RawServer, options: Any) -> None:
    async with raw:
        response = await raw.initialize(initializationOptions=options)
        assert "result" in response


async def test_no_status_is_sent_to_an_editor_that_did_not_ask(raw: RawServer) -> None:
    async with raw:
        await raw.initialize()
        raw.send("shutdown", request_id=1)
        while (message := await raw.receive()).get("id") != 1:
            assert message.get("method") != "opencoder/status"
