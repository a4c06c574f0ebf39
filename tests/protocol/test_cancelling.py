"""Cancelling, superseding and typing on: every request is answered, and the engine is freed."""

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, items_of


async def code_of_error(request: "asyncio.Future[Any]") -> int:
    with pytest.raises(JsonRpcException) as error:
        await request
    return error.value.code


@pytest.mark.fault("F23", "P12")
async def test_a_cancelled_request_is_answered_at_once_and_its_work_ends(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ")
    fake.pause_after(1)
    request = editor.ask(0, 4, request_id="one")
    await fake.paused()
    editor.cancel_request(_cancel("one"))
    assert await code_of_error(request) == -32800
    await fake.cancelled()
    assert fake.running == 0


@pytest.mark.fault("F23")
async def test_a_request_that_is_cancelled_with_the_same_breath_is_answered_once(
    editor: Editor,
) -> None:
    editor.open("x = ")
    requests = []
    for number in range(50):
        requests.append(editor.ask(0, 4, request_id=number))
        editor.cancel_request(_cancel(number))
    answers = await asyncio.gather(*requests, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, JsonRpcException):
            assert answer.code == -32800
        else:
            assert not isinstance(answer, BaseException)


@pytest.mark.fault("F23", "P12")
async def test_after_many_cancelled_requests_nothing_runs_and_the_next_one_works(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ")
    for number in range(100):
        request = editor.ask(0, 4, request_id=number)
        editor.cancel_request(_cancel(number))
        await asyncio.wait({request})
    await fake.until(lambda: fake.running == 0)
    assert len(await editor.complete(0, 4)) == 1


@pytest.mark.fault("F23")
async def test_cancelling_what_is_not_under_way_is_no_trouble(editor: Editor) -> None:
    editor.open("x = ")
    for request_id in ("never", 17):
        editor.cancel_request(_cancel(request_id))
    request = editor.ask(0, 4, request_id="done")
    await request
    editor.cancel_request(_cancel("done"))
    await editor.ask(0, 4)
    assert editor.messages == []


@pytest.mark.fault("F30")
async def test_a_superseded_request_is_answered_with_null_at_once(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = \ny = ")
    fake.hold()
    first = editor.ask(0, 4)
    await fake.paused()
    second = editor.ask(1, 4)
    assert await first is None
    fake.resume()
    assert len(items_of(await second)) == 1


@pytest.mark.fault("F23")
async def test_every_one_of_many_requests_is_answered(editor: Editor) -> None:
    editor.open("x = ")
    requests = [editor.ask(0, column % 5) for column in range(40)]
    await asyncio.gather(*requests)


@pytest.mark.fault("F30")
async def test_typing_what_the_model_says_keeps_its_stream(
    patient: StartEditor, fake: FakeEngine
) -> None:
    """As VS Code does it: the old request is cancelled before each new one."""
    editor = await patient()
    editor.open("x = ")
    fake.answer(["compute", "(1)"])
    fake.pause_after(1)
    request = editor.ask(0, 4, request_id=0)
    await fake.paused()
    for number, letter in enumerate("com"):
        cancelled = request
        editor.cancel_request(_cancel(number))
        editor.type(number + 2, 0, 4 + number, letter)
        request = editor.ask(0, 5 + number, request_id=number + 1)
        assert await code_of_error(cancelled) == -32800
    fake.resume()
    (item,) = items_of(await request)
    assert item.insert_text == "pute(1)"
    assert len(fake.requests) == 1
    assert fake.cancellations == 0


async def test_typing_without_cancelling_keeps_the_stream_too(
    patient: StartEditor, fake: FakeEngine
) -> None:
    """As Neovim does it: old requests are left to themselves."""
    editor = await patient()
    editor.open("x = ")
    fake.answer(["compute", "(1)"])
    fake.pause_after(1)
    first = editor.ask(0, 4)
    await fake.paused()
    editor.type(2, 0, 4, "c")
    second = editor.ask(0, 5)
    assert await first is None
    fake.resume()
    (item,) = items_of(await second)
    assert item.insert_text == "ompute(1)"
    assert len(fake.requests) == 1


@pytest.mark.fault("F30")
async def test_typing_something_else_closes_the_stream(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ")
    fake.answer(["compute", "(1)"])
    fake.pause_after(1)
    first = editor.ask(0, 4)
    await fake.paused()
    editor.type(2, 0, 4, "z")
    assert await first is None
    await fake.cancelled()
    fake.resume()
    assert len(await editor.complete(0, 5)) == 1
    assert len(fake.requests) == 2


async def test_closing_the_document_closes_the_stream(editor: Editor, fake: FakeEngine) -> None:
    identifier = editor.open("x = ")
    fake.pause_after(1)
    request = editor.ask(0, 4)
    await fake.paused()
    editor.text_document_did_close(types.DidCloseTextDocumentParams(identifier))
    assert await request is None
    await fake.cancelled()


async def test_a_suggestion_that_is_shown_is_typed_without_the_engine(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ")
    fake.answer("compute(1)")
    await editor.complete(0, 4)
    for number, letter in enumerate("compute"):
        editor.type(number + 2, 0, 4 + number, letter)
        (item,) = await editor.complete(0, 5 + number)
        assert item.insert_text == "compute(1)"[number + 1 :]
    assert len(fake.requests) == 1


@pytest.mark.fault("F19")
async def test_ending_the_session_frees_the_engine(start: StartEditor, fake: FakeEngine) -> None:
    editor = await start()
    editor.open("x = ")
    fake.pause_after(1)
    request = editor.ask(0, 4)
    await fake.paused()
    await editor.shutdown_session()
    assert await editor.exited() == 0
    assert await code_of_error(request) == -32800
    await fake.leased(0)
    await fake.disconnected()


def _cancel(request_id: int | str) -> Any:
    return types.CancelParams(id=request_id)
