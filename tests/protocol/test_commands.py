"""Commands and code actions: explain, chat, status, and how answers are shown."""

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp import __version__
from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import URI, Editor, capabilities

CodeOf = Callable[[dict[str, Any]], str]
CODE = "import os\n\ndef add(a, b):\n    return a + b\n\nprint(add(1, 2))\n"
FUNCTION = {"start": {"line": 2, "character": 0}, "end": {"line": 3, "character": 16}}
CURSOR = {"start": {"line": 3, "character": 6}, "end": {"line": 3, "character": 6}}


def read(file: Path) -> tuple[str, int]:
    return file.read_text(), stat.S_IMODE(file.stat().st_mode)


def occupy(path: Path) -> None:
    path.mkdir(parents=True)


async def refused(request: Any) -> JsonRpcException:
    with pytest.raises(JsonRpcException) as error:
        await request
    return error.value


async def test_an_explanation_is_streamed_on_the_editor_s_token(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open(CODE)
    fake.answer("It adds **two** numbers.")
    result = await editor.command(
        "opencoder.explain", {"uri": URI, "range": FUNCTION, "token": "t1"}
    )
    assert result["text"] == "It adds **two** numbers."
    assert result["finishReason"] == "stop"
    assert editor.streamed("t1") == result["text"]
    assert all(value["kind"] == "delta" for value in editor.reports["t1"])
    assert editor.shown_documents == []
    assert editor.messages == []


@pytest.mark.parametrize("span", [FUNCTION, CURSOR], ids=["selection", "cursor"])
async def test_exactly_the_selected_code_or_the_paragraph_around_the_cursor_is_asked_about(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, span: dict[str, Any]
) -> None:
    editor.open(CODE)
    await editor.command("opencoder.explain", {"uri": URI, "range": span})
    asked = code_of(fake.requests[0])
    assert "def add(a, b):\n    return a + b\n```" in asked
    assert "import os" not in asked
    assert "print" not in asked
    assert fake.requests[0]["priority"] == 10


async def test_an_answer_is_a_file_of_the_user_s_own_where_the_editor_shows_files(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(show_document=True))
    editor.open(CODE)
    fake.answer("It adds.")
    await editor.command("opencoder.explain", {"uri": URI, "range": FUNCTION, "show": True})
    (shown,) = editor.shown_documents
    text, mode = read(Path(unquote(urlsplit(shown.uri).path)))
    assert text == "# Explanation of module.py\n\nIt adds.\n"
    assert mode == 0o600


async def test_an_answer_is_a_document_of_ours_where_the_editor_can_ask_for_its_text(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(show_document=True, virtual_documents=True))
    workspace = editor.init.capabilities.workspace
    assert workspace is not None
    assert isinstance(workspace.text_document_content, types.TextDocumentContentOptions)
    assert list(workspace.text_document_content.schemes) == ["opencoder"]
    editor.open(CODE)
    fake.answer("It adds.")
    await editor.command("opencoder.explain", {"uri": URI, "range": FUNCTION, "show": True})
    (shown,) = editor.shown_documents
    assert shown.uri.startswith("opencoder:/")
    params = types.TextDocumentContentParams(shown.uri)
    content = await editor.workspace_text_document_content_async(params)
    assert content.text == "# Explanation of module.py\n\nIt adds.\n"


async def test_an_answer_is_a_message_where_the_editor_can_show_nothing_else(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open(CODE)
    fake.answer("It adds.")
    await editor.command("opencoder.explain", {"uri": URI, "range": FUNCTION, "show": True})
    (message,) = editor.messages
    assert message.message == "Explanation of module.py\n\nIt adds."


@pytest.mark.fault("P13")
async def test_a_cancelled_command_ends_the_engine_s_work(editor: Editor, fake: FakeEngine) -> None:
    editor.open(CODE)
    fake.pause_after(1)
    request = editor.send_command(
        "opencoder.explain", {"uri": URI, "range": FUNCTION}, request_id="explain"
    )
    await fake.paused()
    editor.cancel_request(types.CancelParams("explain"))
    assert (await refused(request)).code == -32800
    await fake.cancelled()


async def test_a_command_can_be_cancelled_by_its_progress(editor: Editor, fake: FakeEngine) -> None:
    editor.open(CODE)
    fake.pause_after(1)
    arguments = {"uri": URI, "range": FUNCTION, "show": True}
    request = editor.send_command("opencoder.explain", arguments, work_done_token="wd")
    await editor.until(lambda: "wd" in editor.reports)
    assert editor.reports["wd"][0]["cancellable"] is True
    await fake.paused()
    params = types.WorkDoneProgressCancelParams("wd")
    editor.window_work_done_progress_cancel(params)
    assert (await refused(request)).code == -32800
    await fake.cancelled()
    assert editor.reports["wd"][-1]["kind"] == "end"


async def test_a_conversation_goes_on(editor: Editor, fake: FakeEngine, code_of: CodeOf) -> None:
    fake.answer("Blue, I think.")
    first = await editor.command("opencoder.chat", {"message": "Which colour?", "token": 5})
    assert editor.streamed(5) == first["text"] == "Blue, I think."
    assert first["usage"]["completionTokens"] == 3
    second = await editor.command(
        "opencoder.chat", {"message": "Why?", "conversationId": first["conversationId"]}
    )
    assert second["conversationId"] == first["conversationId"]
    asked = code_of(fake.requests[1])
    assert asked.index("Which colour?") < asked.index("Blue, I think.") < asked.index("Why?")


async def test_a_conversation_outlives_the_server(
    start: StartEditor, fake: FakeEngine, code_of: CodeOf
) -> None:
    one, other = await start(), await start()
    first = await one.command("opencoder.chat", {"message": "Which colour?"})
    (listed,) = await other.command("opencoder.conversations")
    assert listed["id"] == first["conversationId"]
    assert listed["title"] == "Which colour?"
    again = {"message": "Why?", "conversationId": listed["id"]}
    await other.command("opencoder.chat", again)
    assert "Which colour?" in code_of(fake.requests[1])
    arguments = {"conversationId": listed["id"]}
    assert await other.command("opencoder.conversation.delete", arguments) == {}
    assert await one.command("opencoder.conversations", {}) == []
    assert (await refused(one.command("opencoder.chat", again))).code == -32602


async def test_the_server_answers_while_another_front_keeps_the_conversations_busy(
    patient: StartEditor, fake: FakeEngine, home: Path
) -> None:
    editor = await patient()
    await editor.command("opencoder.chat", {"message": "Hello"})
    with closing(sqlite3.connect(home / "data" / "conversations.sqlite3")) as other:
        other.execute("BEGIN EXCLUSIVE")
        listed = editor.send_command("opencoder.conversations")
        await editor.command("opencoder.status")
        assert not listed.done()
        other.rollback()
        assert len(await listed) == 1


@pytest.mark.fault("F62")
async def test_an_answer_is_given_where_it_cannot_be_kept(
    editor: Editor, fake: FakeEngine, home: Path
) -> None:
    occupy(home / "data" / "conversations.sqlite3")
    for _ in range(3):
        answer = await editor.command("opencoder.chat", {"message": "Hello"})
        assert answer["text"] == "fake .answer"
        assert answer["conversationId"] is None
    (shown,) = editor.messages  # once, though each answer shows that the engine is well
    assert "conversations.sqlite3" in shown.message
    assert (await refused(editor.command("opencoder.conversations"))).code == -32803


async def test_attached_code_is_part_of_the_question(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor.open(CODE)
    attachment = {"uri": URI, "range": FUNCTION}
    await editor.command("opencoder.chat", {"message": "Is it fast?", "attachments": [attachment]})
    asked = code_of(fake.requests[0])
    assert "Is it fast?\n\n`module.py`, lines 3 to 4:\n```python\ndef add" in asked


async def test_the_status_says_how_everything_is(editor: Editor, fake: FakeEngine) -> None:
    editor.open(CODE)
    status = await editor.command("opencoder.status")
    assert status["version"] == __version__
    assert status["model"] == {"name": "tiny", "template": "chatml"}
    assert status["engine"]["kind"] == "ready"
    assert status["engine"]["health"]["model"] == "fake"
    assert status["chat"] is None  # which has the same engine
    assert status["documents"] == 1
    assert status["warnings"] == []


async def test_restarting_connects_to_an_engine_elsewhere_anew(
    editor: Editor, fake: FakeEngine
) -> None:
    await fake.leased(1)
    assert await editor.command("opencoder.restartEngine", {}) == {}
    await fake.leased(1)
    editor.open("x = ")
    assert len(await editor.complete(0, 4)) == 1


@pytest.mark.fault("F27")
@pytest.mark.parametrize(
    ("name", "arguments", "part"),
    [
        ("opencoder.explain", {}, "uri"),
        ("opencoder.explain", {"uri": URI, "range": {"start": {"line": -1}}}, "range.start.line"),
        ("opencoder.explain", {"uri": "file:///project/other.py", "range": FUNCTION}, "not open"),
        (
            "opencoder.explain",
            {"uri": "file:///project/.env", "range": FUNCTION},
            "privacy.exclude",
        ),
        ("opencoder.chat", {"message": "  \n"}, "empty"),
        ("opencoder.chat", {"message": 5}, "message"),
        ("opencoder.chat", {"message": "hi", "conversationId": "nope"}, "no such conversation"),
        ("opencoder.chat", {"message": "word " * 5000}, "at most"),
        ("opencoder.chat", "hello", "one object"),
        ("opencoder.chat", {"message": "x", "conversationId": "\ud800"}, "no such conversation"),
        ("opencoder.conversation.delete", {"conversationId": "\ud83d"}, "no such conversation"),
        ("opencoder.nope", {}, "no such command"),
    ],
)
async def test_bad_arguments_are_refused_with_a_reason(
    editor: Editor, fake: FakeEngine, name: str, arguments: Any, part: str
) -> None:
    editor.open(CODE)
    editor.open("KEY=secret", uri="file:///project/.env")
    error = await refused(editor.command(name, arguments))
    assert error.code == -32602
    assert part in error.message
    assert fake.requests == []
