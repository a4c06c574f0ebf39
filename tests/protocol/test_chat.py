"""Conversations: what is kept, changed, continued, listed and exported, and by several windows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp.conversations.entries import Entry
from opencoder_lsp.conversations.store import Store
from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor

CodeOf = Callable[[dict[str, Any]], str]


async def chat(editor: Editor, message: str = "", **more: Any) -> dict[str, Any]:
    arguments = {"message": message, **more} if message else more
    return dict(await editor.command("opencoder.chat", arguments))


async def refused(editor: Editor, **arguments: Any) -> str:
    with pytest.raises(JsonRpcException) as error:
        await chat(editor, **arguments)
    assert error.value.code == -32602
    return str(error.value.message)


async def said(editor: Editor, answer: dict[str, Any]) -> list[str]:
    whole = {"conversationId": answer["conversationId"]}
    messages = (await editor.command("opencoder.conversation", whole))["messages"]
    return [message["content"] for message in messages]


async def stopped(editor: Editor, fake: FakeEngine, pieces: int, **arguments: Any) -> Any:
    """Ask, and cancel when so many pieces have come."""
    fake.pause_after(pieces)
    before = fake.cancellations
    request = editor.send_command("opencoder.chat", {**arguments, "token": "s"}, request_id="stop")
    await fake.paused()
    await editor.until(lambda: len(editor.reports.get("s", [])) == pieces)
    editor.cancel_request(types.CancelParams("stop"))
    answer = await request
    await fake.cancelled(before + 1)
    fake.resume()
    return answer


async def test_a_stopped_answer_is_kept_and_the_conversation_goes_on_from_it(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    fake.answer("One, two, three, four.")
    answer = await stopped(editor, fake, 2, message="Count.")
    assert (answer["text"], answer["finishReason"]) == ("One, two, ", "stopped")
    assert editor.streamed("s") == "One, two, "
    again = {"conversationId": answer["conversationId"]}
    messages = (await editor.command("opencoder.conversation", again))["messages"]
    assert [m["content"] for m in messages] == ["Count.", "One, two, "]
    assert messages[1]["finishReason"] == "stopped"
    assert messages[1]["id"] == answer["messageId"]
    await chat(editor, "And then?", **again)
    asked = code_of(fake.requests[1])
    assert asked.index("Count.") < asked.index("One, two, ") < asked.index("And then?")


async def test_a_question_that_is_stopped_before_anything_is_said_is_kept(
    editor: Editor, fake: FakeEngine
) -> None:
    answer = await stopped(editor, fake, 0, message="Count.")
    assert (answer["text"], answer["finishReason"]) == ("", "stopped")
    assert await said(editor, answer) == ["Count."]
    fake.answer("One.")
    again = await chat(editor, conversationId=answer["conversationId"], regenerate=True)
    assert again["text"] == "One."
    assert await said(editor, answer) == ["Count.", "One."]


async def test_regenerating_puts_another_answer_in_the_place_of_the_last(
    editor: Editor, fake: FakeEngine
) -> None:
    first = await chat(editor, "Hello")
    id = first["conversationId"]
    await chat(editor, "Why?", conversationId=id)
    fake.answer("Because.")
    again = await chat(editor, conversationId=id, regenerate=True)
    assert (again["text"], again["conversationId"]) == ("Because.", id)
    assert fake.requests[1]["prompt"] == fake.requests[2]["prompt"]
    assert await said(editor, first) == ["Hello", "fake .answer", "Why?", "Because."]


async def test_editing_puts_another_question_in_the_place_of_the_last(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    first = await chat(editor, "Hello")
    id = first["conversationId"]
    await chat(editor, "Wyh?", conversationId=id)
    fake.answer("Because.")
    await chat(editor, "Why?", conversationId=id, editLast=True)
    assert "Wyh?" not in code_of(fake.requests[2])
    assert await said(editor, first) == ["Hello", "fake .answer", "Why?", "Because."]


async def test_stopping_at_once_leaves_the_turn_that_was_to_be_replaced(
    editor: Editor, fake: FakeEngine
) -> None:
    first = await chat(editor, "Hello")
    for change in ({"regenerate": True}, {"editLast": True, "message": "Bye"}):
        answer = await stopped(editor, fake, 0, conversationId=first["conversationId"], **change)
        assert answer["messageId"] == first["messageId"]
        assert await said(editor, first) == ["Hello", "fake .answer"]


@pytest.mark.parametrize("end", ["length", "stopped"])
async def test_an_answer_that_was_cut_or_stopped_goes_on(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, end: str
) -> None:
    if end == "length":
        fake.answer("One, two, ", finish_reason="length")
        first = await chat(editor, "Count.")
        assert first["finishReason"] == "length"
    else:
        fake.answer("One, two, three.")
        first = await stopped(editor, fake, 2, message="Count.")
    fake.answer("three.")
    again = {"conversationId": first["conversationId"], "continue": True, "token": "more"}
    answer = await chat(editor, **again)
    assert (answer["text"], answer["finishReason"]) == ("One, two, three.", "stop")
    assert editor.streamed("more") == "three."
    # The model goes on where it was, in the same open turn.
    assert code_of(fake.requests[1]).endswith("assistant\nOne, two, ")
    assert await said(editor, first) == ["Count.", "One, two, three."]
    assert "complete" in await refused(editor, **again)


async def test_the_oldest_turns_are_dropped_and_counted(
    start: StartEditor, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor = await start(settings={"chat": {"max_tokens": 64}})
    fake.set_health(context_length=512)
    answer = await chat(editor, "first " * 20)
    assert answer["dropped"] == 0
    id, counts = answer["conversationId"], list[int]()
    for number in range(6):
        answer = await chat(editor, f"question {number} " * 8, conversationId=id)
        counts.append(answer["dropped"])
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] > 0
    assert counts[-1] % 2 == 0
    last = code_of(fake.requests[-1])
    assert "first" not in last
    assert "question 5" in last
    assert all(len(r["prompt"]) + r["max_tokens"] <= 512 for r in fake.requests)
    assert len(await said(editor, answer)) == 14  # all of it is kept


async def test_a_completion_goes_before_a_chat(editor: Editor, fake: FakeEngine) -> None:
    fake.pause_after(1)
    talk = editor.send_command("opencoder.chat", {"message": "Hello"})
    await fake.paused()
    editor.open("x = ")
    request = editor.ask(0, 4)
    await fake.paused(2)
    assert [request.get("priority", 0) for request in fake.requests] == [10, 0]
    fake.resume()
    await request
    await talk


async def test_two_windows_on_one_conversation_lose_no_turn(
    start: StartEditor, fake: FakeEngine
) -> None:
    one, other = await start(), await start()
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


CANNOT_BE_ASKED: list[tuple[dict[str, Any], str]] = [
    ({"message": " \n"}, "the message is empty"),
    ({}, "the message is empty"),
    ({"message": "<|im_end|> <|endoftext|>"}, "only names of control tokens"),
    ({"message": "x", "editLast": True}, "need a conversationId"),
    ({"regenerate": True}, "need a conversationId"),
    ({"continue": True}, "need a conversationId"),
    ({"message": "x", "regenerate": True}, "take no message"),
    ({"regenerate": True, "continue": True}, "only one of"),
    ({"conversationId": "nope", "regenerate": True}, "no such conversation"),
]


async def test_what_cannot_be_asked_is_refused_and_nothing_is_kept(
    editor: Editor, fake: FakeEngine
) -> None:
    for arguments, says in CANNOT_BE_ASKED:
        assert says in await refused(editor, **arguments)
    assert fake.requests == []
    assert await editor.command("opencoder.conversations") == []


async def test_a_message_that_does_not_fit_is_refused_with_both_numbers_and_nothing_is_lost(
    editor: Editor, fake: FakeEngine
) -> None:
    first = await chat(editor, "Hello")
    id = first["conversationId"]
    for arguments in ({}, {"conversationId": id}, {"conversationId": id, "editLast": True}):
        says = await refused(editor, message="word " * 5000, **arguments)
        assert "at most 1024 fit" in says
        assert "tokens" in says
    assert len(fake.requests) == 1
    assert await said(editor, first) == ["Hello", "fake .answer"]
    assert len(await editor.command("opencoder.conversations")) == 1
