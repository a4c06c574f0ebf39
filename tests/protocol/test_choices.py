"""Several choices where the user asks, and the item that is selected in the editor's list."""

from typing import Any

import pytest
from lsprotocol import types

from opencoder_lsp.lsp.documents import column_of
from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, capabilities, items_of
from tests.protocol.test_inline_completion import CodeOf


@pytest.fixture
async def editor(patient: StartEditor) -> Editor:
    """An editor whose user gets three choices, however long they take."""
    return await patient(env={"OPENCODER_COMPLETION_CHOICES": "3"})


def texts(items: list[types.InlineCompletionItem]) -> list[str]:
    return [item.insert_text for item in items if isinstance(item.insert_text, str)]


def selection(start: int, end: int, text: str, line: int = 0) -> types.SelectedCompletionInfo:
    span = types.Range(types.Position(line, start), types.Position(line, end))
    return types.SelectedCompletionInfo(span, text)


async def test_who_asks_gets_several_different_suggestions(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ")
    fake.answer("first()")
    fake.answer("second()", others=["third()"])
    items = await editor.invoke(0, 4)
    assert texts(items) == ["first()", "second()", "third()"]
    told: list[Any] = [(item.command and item.command.arguments or [{}])[0] for item in items]
    assert len({one["suggestionId"] for one in told}) == 1  # they are one answer
    assert [one["acceptedLength"] for one in told] == [7, 8, 7]
    greedy, drawn = fake.requests
    assert (greedy["temperature"], greedy.get("n")) == (0, None)
    assert (drawn["n"], drawn["prompt"]) == (2, greedy["prompt"])
    assert drawn["temperature"] > 0
    assert isinstance(drawn["seed"], int)


async def test_equal_suggestions_are_shown_once(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ")
    fake.answer("same()")
    fake.answer("same()", others=["same()\n"])
    assert texts(await editor.invoke(0, 4)) == ["same()"]


async def test_who_types_gets_one(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ")
    assert len(await editor.complete(0, 4)) == 1
    assert len(fake.requests) == 1


async def test_the_number_of_choices_is_a_setting(start: StartEditor, fake: FakeEngine) -> None:
    editor = await start(settings={"completion": {"choices": 1}})
    editor.open("x = ")
    assert len(await editor.invoke(0, 4)) == 1
    assert len(fake.requests) == 1


async def test_choices_begin_behind_the_word_that_is_typed(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("value = comp")
    fake.answer("ute(1)")
    fake.answer("are(1)", others=["lete(1)"])
    assert texts(await editor.invoke(0, 12)) == ["ute(1)", "are(1)", "lete(1)"]


async def test_a_suggestion_begins_with_the_item_that_is_selected(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor.open("import os\nx = os.pa + 1\n")
    fake.answer(".join(a, b)\n")
    chosen = selection(7, 9, "path", line=1)
    (item,) = items_of(await editor.ask(1, 9, selected=chosen))
    assert code_of(fake.requests[0]).endswith("x = os.path")
    assert " + 1" in code_of(fake.requests[0])
    assert item.insert_text == "path.join(a, b)"
    assert item.range == chosen.range


async def test_typing_on_with_the_same_item_selected_needs_no_engine(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("pr")
    fake.answer("(1)\n")
    (first,) = items_of(await editor.ask(0, 2, selected=selection(0, 2, "print")))
    editor.type(2, 0, 2, "i")
    (second,) = items_of(await editor.ask(0, 3, selected=selection(0, 3, "print")))
    assert first.insert_text == second.insert_text == "print(1)"
    assert second.range == selection(0, 3, "print").range
    assert len(fake.requests) == 1


async def test_another_item_gets_another_suggestion(editor: Editor, fake: FakeEngine) -> None:
    editor.open("pr")
    fake.answer("(1)\n")
    fake.answer(".x\n")
    (first,) = items_of(await editor.ask(0, 2, selected=selection(0, 2, "print")))
    (second,) = items_of(await editor.ask(0, 2, selected=selection(0, 2, "property")))
    assert (first.insert_text, second.insert_text) == ("print(1)", "property.x")


async def test_an_item_over_several_lines_is_not_looked_at(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("a\nb = ")
    span = types.Range(types.Position(0, 0), types.Position(1, 4))
    fake.answer("1\n")
    (item,) = items_of(await editor.ask(1, 4, selected=types.SelectedCompletionInfo(span, "z")))
    assert item.insert_text == "1"
    assert item.range == types.Range(types.Position(1, 4), types.Position(1, 4))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_the_range_of_the_selected_item_is_in_the_editor_s_units(
    start: StartEditor, fake: FakeEngine, encoding: str
) -> None:
    editor = await start(capabilities(encodings=[encoding]))
    line = "😀é = pa"
    editor.open(line)
    start_at, end = (column_of(line, index, encoding) for index in (5, 7))  # type: ignore[arg-type]
    chosen = selection(start_at, end, "path")
    fake.answer(".x\n")
    (item,) = items_of(await editor.ask(0, end, selected=chosen))
    assert (item.insert_text, item.range) == ("path.x", chosen.range)


async def test_an_editor_with_a_list_only_gets_one_item_of_it(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(inline_completion=False))
    identifier = editor.open("value = comp")
    params = types.CompletionParams(
        identifier,
        types.Position(0, 12),
        types.CompletionContext(types.CompletionTriggerKind.Invoked),
    )
    answer = await editor.text_document_completion_async(params)
    assert isinstance(answer, types.CompletionList)
    (item,) = answer.items
    assert item.preselect is None
    assert item.sort_text is not None
    assert item.sort_text > "zzzz"
    assert len(fake.requests) == 1
