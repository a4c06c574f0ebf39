"""While the model loads: what is shown, who waits, and who does not."""

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import URI, Editor, capabilities, items_of


@pytest.mark.fault("F51")
async def test_a_command_waits_for_the_model_to_load(start: StartEditor, fake: FakeEngine) -> None:
    fake.set_health(state="loading", progress=0.5)
    editor = await start(wait=False)
    request = editor.send_command("opencoder.chat", {"message": "Hello"})
    await editor.until(lambda: editor.statuses and "loading" in editor.statuses[-1].message)
    fake.set_health(state="ready", progress=1.0)
    assert (await request)["text"] == "fake .answer"


async def test_loading_is_shown_as_progress_with_percent(
    start: StartEditor, fake: FakeEngine
) -> None:
    fake.set_health(state="loading", progress=0.25)
    editor = await start(wait=False)
    await editor.until(lambda: _percents(editor)[-1:] == [25])
    fake.set_health(progress=0.75)
    await editor.until(lambda: _percents(editor)[-1:] == [75])
    await editor.until(lambda: getattr(editor.statuses[-1], "percent", None) == 75)
    fake.set_health(state="ready", progress=1.0)
    await editor.until(lambda: _loading(editor)[-1]["kind"] == "end")
    await editor.ready()
    assert not hasattr(editor.statuses[-1], "percent")


async def test_without_progress_in_the_editor_none_is_sent(
    start: StartEditor, fake: FakeEngine
) -> None:
    fake.set_health(state="loading", progress=0.25)
    editor = await start(capabilities(work_done=False), wait=False)
    await editor.until(lambda: editor.statuses and "loading" in editor.statuses[-1].message)
    fake.set_health(state="ready", progress=1.0)
    await editor.ready()
    assert editor.reports == {}


@pytest.mark.fault("F51")
async def test_while_the_model_loads_a_request_is_answered_at_once(
    start: StartEditor, fake: FakeEngine
) -> None:
    fake.set_health(state="loading", progress=0.25)
    editor = await start(wait=False)
    editor.open("x = ")
    assert await editor.complete(0, 4) == []
    await editor.until(lambda: editor.statuses and "loading" in editor.statuses[-1].message)
    fake.set_health(state="ready", progress=1.0)
    await editor.ready()
    assert len(await editor.complete(0, 4)) == 1
    assert editor.messages == []


async def test_a_request_that_the_user_makes_waits_for_the_model(
    start: StartEditor, fake: FakeEngine
) -> None:
    fake.set_health(state="loading", progress=0.25)
    editor = await start(wait=False)
    editor.open("x = ")
    request = editor.ask(0, 4, trigger=types.InlineCompletionTriggerKind.Invoked)
    await editor.until(lambda: _percents(editor)[-1:] == [25])
    assert not request.done()
    fake.set_health(state="ready", progress=1.0)
    assert len(items_of(await request)) == 1


async def test_a_request_of_the_user_is_outdated_by_an_edit_before_the_model_is_loaded(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor, request = await _invoked(start, fake)
    editor.type(2, 0, 0, "y")
    assert await request is None
    assert editor.statuses[-1].kind == "loading"
    fake.set_health(state="ready", progress=1.0)
    await editor.ready()
    assert fake.requests == []


async def test_a_request_of_the_user_is_outdated_by_a_newer_one_before_the_model_is_loaded(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor, first = await _invoked(start, fake)
    second = editor.ask(0, 4, trigger=types.InlineCompletionTriggerKind.Invoked)
    assert await first is None
    assert editor.statuses[-1].kind == "loading"
    assert not second.done()
    fake.set_health(state="ready", progress=1.0)
    assert len(items_of(await second)) == 1
    assert len(fake.requests) == 1


async def test_closing_the_document_outdates_a_request_before_the_model_is_loaded(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor, request = await _invoked(start, fake)
    identifier = types.TextDocumentIdentifier(URI)
    editor.text_document_did_close(types.DidCloseTextDocumentParams(identifier))
    assert await request is None
    assert editor.statuses[-1].kind == "loading"


async def test_a_request_of_the_user_can_be_cancelled_before_the_model_is_loaded(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor, request = await _invoked(start, fake)
    editor.cancel_request(types.CancelParams("invoked"))
    with pytest.raises(JsonRpcException) as error:
        await request
    assert error.value.code == -32800
    assert editor.statuses[-1].kind == "loading"


async def _invoked(start: StartEditor, fake: FakeEngine) -> tuple[Editor, "asyncio.Future[Any]"]:
    """Start an editor whose user has asked for a suggestion while the model loads."""
    fake.set_health(state="loading", progress=0.25)
    editor = await start(wait=False)
    await editor.until(lambda: _percents(editor)[-1:] == [25])
    editor.open("x = ")
    kind = types.InlineCompletionTriggerKind.Invoked
    return editor, editor.ask(0, 4, request_id="invoked", trigger=kind)


def _loading(editor: Editor) -> list[Any]:
    return next(iter(editor.reports.values()), [])


def _percents(editor: Editor) -> list[int]:
    return [value["percentage"] for value in _loading(editor) if "percentage" in value]
