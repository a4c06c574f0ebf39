"""Conversations: what is asked, kept when it is stopped, changed and continued."""

from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor
from tests.protocol.talking import chat, refused, said

CodeOf = Callable[[dict[str, Any]], str]


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


async def test_what_was_said_when_the_editor_ends_is_kept(
    patient: StartEditor, fake: FakeEngine
) -> None:
    one = await patient()
    fake.answer("One, two, three.")
    fake.pause_after(2)
    one.send_command("opencoder.chat", {"message": "Count.", "token": "s"})
    await one.until(lambda: one.streamed("s") == "One, two, ")
    await one.shutdown_session()
    assert await one.exited() == 0
    fake.resume()
    other = await patient()
    (listed,) = await other.command("opencoder.conversations")
    assert await said(other, {"conversationId": listed["id"]}) == ["Count.", "One, two, "]


async def test_an_answer_can_be_stopped_by_its_progress(editor: Editor, fake: FakeEngine) -> None:
    fake.answer("One, two, three.")
    fake.pause_after(2)
    arguments = {"message": "Count.", "token": "s"}
    request = editor.send_command("opencoder.chat", arguments, work_done_token="wd")
    await editor.until(lambda: editor.streamed("s") == "One, two, ")
    assert editor.reports["wd"][0]["cancellable"] is True
    editor.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams("wd"))
    answer = await request
    assert (answer["text"], answer["finishReason"]) == ("One, two, ", "stopped")
    assert editor.reports["wd"][-1]["kind"] == "end"


async def test_a_conversation_that_the_client_keeps_is_answered_and_not_kept(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    fake.answer("Because so.")
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there"},
        {"role": "user", "content": "Why?"},
    ]
    arguments = {"messages": messages, "token": "a"}
    answer = await editor.command("opencoder.answer", arguments)
    assert (answer["text"], answer["finishReason"]) == ("Because so.", "stop")
    assert editor.streamed("a") == "Because so."
    asked = code_of(fake.requests[0])
    assert asked.index("Hello") < asked.index("Hi there") < asked.index("Why?")
    assert await editor.command("opencoder.conversations", {"all": True}) == []
    with pytest.raises(JsonRpcException) as error:
        await editor.command("opencoder.answer", {"messages": []})
    assert error.value.code == -32602
