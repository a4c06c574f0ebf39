"""An engine that fails, dies, is full or is not there: what the editor is told, and how often."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor


async def refused(request: Any) -> JsonRpcException:
    with pytest.raises(JsonRpcException) as error:
        await request
    return error.value


def errors(editor: Editor) -> list[str]:
    return [m.message for m in editor.messages if m.type == types.MessageType.Error]


@pytest.mark.fault("F56")
async def test_an_engine_that_dies_in_mid_stream_is_told_once_and_the_next_request_works(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ")
    for _ in range(3):
        fake.die_mid_stream()
        assert await editor.invoke(0, 4) == []
    assert len(errors(editor)) == 1
    assert "engine" in errors(editor)[0]
    fake.answer("whole")
    (item,) = await editor.invoke(0, 4)
    assert item.insert_text == "whole"
    fake.die_mid_stream()
    editor.type(2, 0, 0, "y")
    assert await editor.invoke(0, 5) == []
    assert len(errors(editor)) == 2


@pytest.mark.fault("F56")
async def test_a_command_whose_engine_dies_fails_with_a_reason(
    editor: Editor, fake: FakeEngine
) -> None:
    fake.die_mid_stream()
    error = await refused(editor.command("opencoder.chat", {"message": "Hello"}))
    assert error.code == -32803
    assert "engine" in error.message
    assert (await editor.command("opencoder.chat", {"message": "Hello"}))["text"] == "fake .answer"
    conversations = await editor.command("opencoder.conversations")
    assert [c["messages"] for c in conversations] == [2, 2]
    cut = {"conversationId": conversations[1]["id"]}
    answer = (await editor.command("opencoder.conversation", cut))["messages"][1]
    assert (answer["content"], answer["finishReason"]) == ("half an ", "stopped")


@pytest.mark.fault("F54")
async def test_an_error_inside_a_stream_reaches_the_user_in_the_engine_s_words(
    editor: Editor, fake: FakeEngine
) -> None:
    fake.error_mid_stream("out of memory on the GPU")
    error = await refused(editor.command("opencoder.chat", {"message": "Hello"}))
    assert error.code == -32803
    assert "out of memory on the GPU" in error.message


@pytest.mark.fault("F50")
async def test_a_full_queue_makes_no_noise_while_typing(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ")
    fake.fail_with(429, "the queue is full", retry_after=1)
    assert await editor.complete(0, 4) == []
    assert editor.messages == []
    fake.fail_with(429, "the queue is full", retry_after=1)
    error = await refused(editor.command("opencoder.chat", {"message": "Hello"}))
    assert (error.code, error.message) == (-32803, "the queue is full")


async def test_an_engine_that_is_not_there_is_told_once_and_found_when_it_comes(
    start: StartEditor, fake: FakeEngine, tmp_path: Path
) -> None:
    socket = tmp_path / "later.sock"
    editor = await start(wait=False, env={"OPENCODER_ENGINE_URL": f"unix:{socket}"})
    await editor.until(lambda: errors(editor))
    editor.open("x = ")
    for _ in range(5):
        assert await editor.complete(0, 4) == []
    assert len(errors(editor)) == 1
    assert str(socket) in errors(editor)[0]
    error = await refused(editor.command("opencoder.chat", {"message": "Hello"}))
    assert error.code == -32803
    async with FakeEngine(socket):
        answer = await editor.command("opencoder.chat", {"message": "Hello"})
        assert answer["text"] == "fake .answer"
        assert len(await editor.complete(0, 4)) == 1


async def test_an_engine_that_comes_back_is_used_again(
    start: StartEditor, fake: FakeEngine, tmp_path: Path
) -> None:
    socket = tmp_path / "other.sock"
    async with FakeEngine(socket) as first:
        editor = await start(env={"OPENCODER_ENGINE_URL": first.url})
        editor.open("x = ")
        assert len(await editor.complete(0, 4)) == 1
    editor.type(2, 0, 0, "y")
    assert await editor.invoke(0, 5) == []
    async with FakeEngine(socket):
        answer = await editor.command("opencoder.chat", {"message": "Hello"})
        assert answer["text"] == "fake .answer"
        assert len(await editor.complete(0, 5)) == 1


@pytest.mark.fault("F60")
async def test_a_model_that_is_not_pulled_is_told_with_the_cure(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(wait=False, env={"OPENCODER_MODEL_NAME": "demo"})
    await editor.until(lambda: editor.statuses and editor.statuses[-1].kind == "error")
    error = await refused(editor.command("opencoder.chat", {"message": "Hello"}))
    assert error.code == -32803
    assert "models pull demo" in error.message
    await editor.until(lambda: len(errors(editor)) == 1)
    assert "models pull demo" in errors(editor)[0]


@pytest.mark.fault("F60")
async def test_a_model_that_fails_to_load_is_told_with_its_cause(
    start: StartEditor, fake: FakeEngine
) -> None:
    fake.set_health(state="error", cause="model.safetensors is truncated; pull it again")
    editor = await start(wait=False)
    await editor.until(lambda: editor.statuses and editor.statuses[-1].kind == "error")
    error = await refused(editor.command("opencoder.chat", {"message": "Hello"}))
    assert "model.safetensors is truncated" in error.message


@pytest.mark.fault("F34")
async def test_two_servers_share_an_engine_and_do_not_disturb_each_other(
    start: StartEditor, fake: FakeEngine
) -> None:
    one, other = await start(), await start()
    await fake.leased(2)
    for editor in (one, other):
        editor.open("x = ")
    fake.pause_after(1)
    first, second = one.ask(0, 4, request_id=1), other.ask(0, 4, request_id=1)
    await fake.paused(2)
    one.cancel_request(types.CancelParams(1))
    assert (await refused(first)).code == -32800
    await fake.cancelled(1)
    fake.resume()
    assert await second is not None
    await one.shutdown_session()
    await fake.leased(1)
    other.type(2, 0, 0, "y")
    assert len(await other.complete(0, 5)) == 1


@pytest.mark.fault("F44")
async def test_a_context_too_small_for_the_settings_is_told_once(
    start: StartEditor, fake: FakeEngine
) -> None:
    fake.set_health(context_length=120)
    editor = await start()
    editor.open("x = ")
    for _ in range(3):
        assert await editor.complete(0, 4) == []
    assert len(errors(editor)) == 1
    assert "completion.max_tokens is 64" in errors(editor)[0]


@pytest.mark.fault("F56")
async def test_many_requests_at_once_are_all_answered_when_the_engine_dies(
    editor: Editor, fake: FakeEngine
) -> None:
    fake.pause_after(1)
    requests = [editor.send_command("opencoder.chat", {"message": str(n)}) for n in range(8)]
    await fake.paused(8)
    fake.abort_connections()
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert [getattr(answer, "code", None) for answer in answers] == [-32803] * 8
