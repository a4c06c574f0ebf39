"""Conversations that are kept: by several windows, per folder, listed, renamed and exported."""

import json
from pathlib import Path
from typing import Any

import pytest
from pygls.exceptions import JsonRpcException

from opencoder_lsp.conversations.entries import Entry
from opencoder_lsp.conversations.store import Store
from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor
from tests.protocol.talking import chat, refused, said


async def test_two_windows_on_one_conversation_lose_no_turn(
    patient: StartEditor, fake: FakeEngine
) -> None:
    one, other = await patient(), await patient()
    first = await chat(one, "Hello")
    id = {"conversationId": first["conversationId"]}
    fake.pause_after(1)
    requests = [
        editor.send_command("opencoder.chat", {"message": message, **id})
        for editor, message in ((one, "from one"), (other, "from the other"))
    ]
    await fake.paused(2)
    fake.resume()
    for request in requests:
        await request
    contents = await said(one, first)
    assert contents[:2] == ["Hello", "fake .answer"]
    assert sorted(contents[2::2]) == ["from one", "from the other"]
    assert contents[3::2] == ["fake .answer"] * 2


async def test_a_change_of_a_turn_that_is_not_the_last_any_more_is_appended_or_refused(
    editor: Editor, fake: FakeEngine, home: Path
) -> None:
    first = await chat(editor, "Hello")
    seen = {"conversationId": first["conversationId"], "lastMessageId": first["messageId"]}
    fake.answer("too late")
    fake.pause_after(1)
    late = editor.send_command("opencoder.chat", {**seen, "regenerate": True})
    await fake.paused()
    other = Store(home / "data" / "conversations.sqlite3")
    other.add([Entry("user", "Why?"), Entry("assistant", "So.")], first["conversationId"])
    fake.resume()
    assert (await late)["conversationId"] == first["conversationId"]
    whole = ["Hello", "fake .answer", "Why?", "So.", "Hello", "too late"]
    assert await said(editor, first) == whole
    for change in ({"regenerate": True}, {"message": "Bye", "editLast": True}, {"continue": True}):
        assert "gone on in another window" in await refused(editor, **seen, **change)
    assert await said(editor, first) == whole
    assert len(fake.requests) == 2


async def test_a_conversation_that_is_deleted_meanwhile_stays_deleted(
    editor: Editor, fake: FakeEngine
) -> None:
    first = await chat(editor, "Hello")
    id = {"conversationId": first["conversationId"]}
    fake.pause_after(1)
    request = editor.send_command("opencoder.chat", {"message": "Why?", **id})
    await fake.paused()
    await editor.command("opencoder.conversation.delete", id)
    fake.resume()
    answer = await request
    assert answer["text"] == "fake .answer"
    assert answer["conversationId"] is None
    assert await editor.command("opencoder.conversations") == []
    (message,) = editor.messages
    assert "no such conversation" in message.message


async def test_a_window_lists_the_conversations_of_its_folder(
    start: StartEditor, fake: FakeEngine, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    (tmp_path / "link").symlink_to(folders[0])
    one, other, linked, nowhere = (
        await start(folder=folders[0].as_uri()),
        await start(folder=folders[1].as_uri()),
        await start(folder=(tmp_path / "link").as_uri()),
        await start(),
    )
    await chat(one, "of one")
    await chat(other, "of the other")
    await chat(nowhere, "of nowhere")

    async def titles(editor: Editor, **arguments: Any) -> list[str]:
        listed = await editor.command("opencoder.conversations", arguments)
        return [conversation["title"] for conversation in listed]

    assert await titles(one) == await titles(linked) == ["of one"]
    assert await titles(other) == ["of the other"]
    assert await titles(nowhere) == ["of nowhere"]
    assert await titles(one, all=True) == ["of nowhere", "of the other", "of one"]
    (listed,) = await one.command("opencoder.conversations")
    assert listed["workspace"] == str(folders[0].resolve())


async def test_a_conversation_is_renamed_and_exported(editor: Editor, fake: FakeEngine) -> None:
    fake.answer("A **number**.")
    id = {"conversationId": (await chat(editor, "What is it?"))["conversationId"]}
    assert await editor.command("opencoder.conversation.rename", {**id, "title": "Numbers"}) == {}
    export = "opencoder.conversation.export"
    text = (await editor.command(export, {**id, "format": "markdown"}))["text"]
    assert text.startswith("# Numbers\n")
    assert "## Question\n\nWhat is it?\n\n## Answer of tiny\n\nA **number**.\n" in text
    data = json.loads((await editor.command(export, {**id, "format": "json"}))["text"])
    assert data == await editor.command("opencoder.conversation", id)
    assert [message["role"] for message in data["messages"]] == ["user", "assistant"]
    for arguments in ({**id, "format": "docx"}, {"conversationId": "nope"}):
        with pytest.raises(JsonRpcException):
            await editor.command(export, arguments)
    with pytest.raises(JsonRpcException, match="needs a title"):
        await editor.command("opencoder.conversation.rename", {**id, "title": " "})


async def test_one_turn_of_a_conversation_is_forgotten_by_its_question_or_its_answer(
    editor: Editor,
) -> None:
    first = await chat(editor, "Hello")
    id = {"conversationId": first["conversationId"]}
    await chat(editor, "Why?", **id)
    await chat(editor, "Bye", **id)
    messages = (await editor.command("opencoder.conversation", id))["messages"]
    for number in (2, 5):  # the question of one turn, the answer of another
        gone = {**id, "messageId": messages[number]["id"]}
        assert await editor.command("opencoder.conversation.forget", gone) == {}
    assert await said(editor, first) == ["Hello", "fake .answer"]
    with pytest.raises(JsonRpcException):
        await editor.command("opencoder.conversation.forget", gone)
