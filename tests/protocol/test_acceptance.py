"""What the editor says of suggestions, and `opencoder.stats`."""

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import URI, Editor, capabilities


@pytest.fixture
def start(patient: StartEditor) -> StartEditor:
    """Start servers that write everything down before they end, however slow the disk is."""
    return patient


async def stats(editor: Editor, **arguments: Any) -> dict[str, Any]:
    return dict(await editor.command("opencoder.stats", arguments))


async def finished(editor: Editor) -> None:
    """End the server, which then has written all that it knows."""
    await editor.shutdown_session()
    await editor.exited()


def suggestion_id(item: types.InlineCompletionItem) -> str:
    assert item.command is not None
    given: Any = item.command.arguments
    return str(given[0]["suggestionId"])


def as_json(item: types.InlineCompletionItem) -> dict[str, Any]:
    return {
        "insertText": item.insert_text,
        "command": {
            "title": "Accepted",
            "command": "opencoder.accepted",
            "arguments": [{"suggestionId": suggestion_id(item)}],
        },
    }


async def counted(start: StartEditor) -> dict[str, Any]:
    """Ask another window, once the first has written everything."""
    return await stats(await start())


async def suggestion(editor: Editor, fake: FakeEngine) -> types.InlineCompletionItem:
    fake.answer("value + 1\n")
    editor.open("x = \n")
    (item,) = await editor.complete(0, 4)
    return item


async def test_a_suggestion_that_is_accepted_is_counted(
    editor: Editor, fake: FakeEngine, start: StartEditor
) -> None:
    item = await suggestion(editor, fake)
    assert item.command is not None
    assert await editor.command(item.command.command, (item.command.arguments or [])[0]) == {}
    await finished(editor)
    seen = await counted(start)
    assert (seen["shown"], seen["accepted"], seen["acceptance"]) == (1, 1, 1.0)
    assert seen["charactersSaved"] == seen["charactersShown"] == len("value + 1")
    assert seen["byLanguage"].keys() == {"python"}
    assert seen["byMode"].keys() == {"template"}
    assert seen["byModel"].keys() == {"tiny"}
    assert seen["latency"]["p50"] > 0


async def test_a_part_that_is_accepted_is_counted_as_that(
    editor: Editor, fake: FakeEngine, start: StartEditor
) -> None:
    item = await suggestion(editor, fake)
    params = {"item": as_json(item), "acceptedLength": 5}
    editor.protocol.notify("textDocument/didPartiallyAcceptCompletion", params)
    await editor.command("opencoder.status")  # it has been read by now
    await finished(editor)
    assert (await counted(start))["charactersSaved"] == 5


async def test_typing_along_counts_one_suggestion(
    editor: Editor, fake: FakeEngine, start: StartEditor
) -> None:
    item = await suggestion(editor, fake)
    editor.type(2, 0, 4, "val")
    (rest,) = await editor.complete(0, 7)
    assert suggestion_id(rest) == suggestion_id(item)
    await finished(editor)
    assert (await counted(start))["shown"] == 1


async def test_an_editor_that_tells_what_it_shows_has_only_that_counted(
    editor: Editor, fake: FakeEngine, start: StartEditor
) -> None:
    await suggestion(editor, fake)
    fake.answer("other\n")
    editor.open("y = \n", uri="file:///project/other.py")
    (item,) = await editor.complete(0, 4, uri="file:///project/other.py")
    editor.protocol.notify("textDocument/didShowCompletion", {"item": as_json(item)})
    await editor.command("opencoder.status")
    await finished(editor)
    seen = await counted(start)
    assert (seen["shown"], seen["charactersShown"]) == (1, len("other"))


@pytest.mark.parametrize("method", ["didShowCompletion", "didPartiallyAcceptCompletion"])
@pytest.mark.parametrize(
    "params",
    [
        None,
        [],
        {},
        {"item": None},
        {"item": {"command": {"arguments": "no list"}}},
        {"item": {"insertText": "x"}, "acceptedLength": -1},
        {"item": {"command": {"arguments": []}}, "acceptedLength": 3},
        {"item": {"command": {"arguments": [{"suggestionId": "of another server"}]}}},
    ],
)
async def test_what_is_no_suggestion_of_ours_is_let_pass(
    editor: Editor, method: str, params: Any
) -> None:
    editor.protocol.notify(f"textDocument/{method}", params)
    assert (await editor.command("opencoder.status"))["version"]
    assert editor.messages == []


async def test_nothing_is_counted_where_it_is_turned_off(
    start: StartEditor, fake: FakeEngine, home: Path
) -> None:
    editor = await start(settings={"stats": {"enabled": False}})
    item = await suggestion(editor, fake)
    await editor.command("opencoder.accepted", {"suggestionId": suggestion_id(item)})
    await finished(editor)
    assert not (home / "data" / "stats.sqlite3").exists()


async def test_a_record_that_cannot_be_written_costs_no_suggestion(
    start: StartEditor, fake: FakeEngine, home: Path
) -> None:
    (home / "data").mkdir(parents=True, mode=0o700)
    (home / "data" / "stats.sqlite3").mkdir()
    editor = await start()
    item = await suggestion(editor, fake)
    assert await editor.command("opencoder.accepted", {"suggestionId": suggestion_id(item)}) == {}
    assert editor.messages == []


async def test_an_editor_without_inline_completion_is_counted_too(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(inline_completion=False))
    fake.answer("value\n")
    editor.open("x = \n")
    where = types.TextDocumentIdentifier(URI)
    params = types.CompletionParams(where, types.Position(0, 4))
    answer = await editor.text_document_completion_async(params)
    assert isinstance(answer, types.CompletionList)
    command = answer.items[0].command
    assert command is not None
    await editor.command(command.command, (command.arguments or [])[0])
    await finished(editor)
    assert (await counted(start))["charactersSaved"] == len("value")


async def test_the_days_of_statistics_are_checked(editor: Editor) -> None:
    assert (await stats(editor))["days"] == 30
    assert (await stats(editor, days=7))["days"] == 7
    with pytest.raises(Exception, match="days"):
        await stats(editor, days=0)
