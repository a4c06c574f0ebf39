"""What the engine does before it is asked: the next suggestion, and the prompt where one rests."""

from typing import Any

import pytest
from lsprotocol import types

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, capabilities
from tests.protocol.test_inline_completion import CodeOf

AHEAD = {"OPENCODER_COMPLETION_AHEAD": "auto"}


@pytest.fixture
async def ahead(start: StartEditor, fake: FakeEngine) -> Editor:
    """An editor whose server may work ahead."""
    return await start(env=AHEAD)


@pytest.fixture
async def hasty(patient: StartEditor) -> Editor:
    """Such an editor, whose user never rests."""
    return await patient(env=AHEAD)


def priority(body: dict[str, Any]) -> int:
    """Return the priority of a request to the engine, 0 of one that somebody waits for."""
    return int(body.get("priority", 0))


async def test_the_suggestion_behind_the_shown_one_is_there_when_that_is_accepted(
    hasty: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    hasty.open("x = \n")
    fake.answer("one\n")
    fake.answer("(1)\n")
    (item,) = await hasty.complete(0, 4)
    assert item.insert_text == "one"
    body = await fake.requested(2)
    assert body["priority"] == 20
    assert code_of(body).endswith("x = one")
    await fake.until(lambda: fake.finished == 2)
    hasty.type(2, 0, 4, "one")
    (item,) = await hasty.complete(0, 7)
    assert item.insert_text == "(1)"
    assert [priority(request) for request in fake.requests[:2]] == [0, 20]


async def test_a_file_with_crlf_line_ends_is_gone_on_with_as_well(
    hasty: Editor, fake: FakeEngine
) -> None:
    hasty.open("if a:\r\n    b()\r\n    \r\n")
    fake.answer("c()\n    d()\n\n\n")
    fake.answer("\n    e()\n\n\n")
    (item,) = await hasty.complete(2, 4)
    assert item.insert_text == "c()\n    d()"
    await fake.until(lambda: fake.finished == 2)
    hasty.type(2, 2, 4, "c()\r\n    d()")
    (item,) = await hasty.complete(3, 7)
    assert item.insert_text == "\n    e()"


async def test_typing_something_else_ends_what_is_prepared(hasty: Editor, fake: FakeEngine) -> None:
    hasty.open("x = \n")
    fake.answer("one\n")
    fake.pause_after(2)  # behind all of this answer, and within the next
    await hasty.complete(0, 4)
    await fake.cancelled(1)  # which was left when its line had ended
    await fake.requested(2)
    hasty.type(2, 0, 4, "z")
    await fake.cancelled(2)


async def test_the_prompt_is_computed_where_somebody_rests_without_asking(
    ahead: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    ahead.open("a = 1\nb = \nc = 3\n")
    ahead.type(2, 1, 4, "[a,\n     ")
    # On a slow machine there was a rest before that was typed, too.
    await fake.until(lambda: any("b = [a" in code_of(body) for body in fake.requests))
    body = fake.requests[-1]
    assert (body["max_tokens"], body["priority"]) == (0, 20)
    await ahead.complete(2, 5)
    (asked,) = [body for body in fake.requests if not priority(body)]
    assert asked["prompt"] == body["prompt"]


async def test_a_file_is_prepared_where_one_was_in_it_last(ahead: Editor, fake: FakeEngine) -> None:
    text = "a = 1\nb = \nc = 3\n"
    identifier = ahead.open(text)
    await ahead.complete(1, 4)
    # What follows was prepared, too.
    await fake.until(lambda: bool(fake.requests[-1]["max_tokens"] and priority(fake.requests[-1])))
    await fake.until(lambda: fake.running == 0)
    (asked,) = [body for body in fake.requests if not priority(body)]
    count = len(fake.requests)
    ahead.text_document_did_close(types.DidCloseTextDocumentParams(identifier))
    ahead.open(text)
    body = await fake.requested(count + 1)
    assert body["max_tokens"] == 0
    assert body["prompt"] == asked["prompt"]


async def test_what_must_not_be_sent_is_not_prepared_either(
    ahead: Editor, fake: FakeEngine
) -> None:
    ahead.open("KEY=", uri="file:///project/.env")
    ahead.type(2, 0, 4, "secret", uri="file:///project/.env")
    ahead.open("x = 1\n")
    assert (await fake.requested(1))["max_tokens"] == 0
    ahead.open("KEY=", uri="file:///project/.env.local")
    ahead.open("y = 2\n", uri="file:///project/b.py")
    await fake.requested(2)
    assert ahead.messages == []
    assert all(b"secret" not in str(body).encode() for body in fake.requests)


async def test_nothing_is_prepared_before_the_engine_is_ready(
    start: StartEditor, fake: FakeEngine
) -> None:
    fake.set_health(state="loading", progress=0.1)
    editor = await start(wait=False, env=AHEAD)
    editor.open("x = 1\n")
    await editor.until(lambda: editor.statuses and "loading" in editor.statuses[-1].message)
    assert fake.requests == []
    fake.set_health(state="ready", progress=1.0)
    assert (await fake.requested(1))["max_tokens"] == 0


async def test_a_request_ends_what_is_computed_for_no_one(ahead: Editor, fake: FakeEngine) -> None:
    ahead.open("x = \n")
    fake.hold()
    await fake.paused(1)
    assert fake.requests[0]["max_tokens"] == 0
    request = ahead.ask(0, 4)
    await fake.cancelled(1)
    fake.resume()
    assert await request is not None


async def test_status_says_how_requests_were_answered(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ")
    fake.answer("one\n")
    await editor.complete(0, 4)
    editor.type(2, 0, 4, "o")
    await editor.complete(0, 5)
    status = await editor.command("opencoder.status")
    assert status["requests"] == {"known": 1, "joined": 0, "opened": 1, "outdated": 0}


async def test_an_editor_with_a_list_gets_the_next_item_prepared_as_well(
    patient: StartEditor, fake: FakeEngine
) -> None:
    editor = await patient(capabilities(inline_completion=False), env=AHEAD)
    identifier = editor.open("x = \n")
    fake.answer("one\n")
    params = types.CompletionParams(identifier, types.Position(0, 4))
    await editor.text_document_completion_async(params)
    assert (await fake.requested(2))["priority"] == 20
