"""Ghost text: what is asked of the model and what the editor gets, whatever the document is."""

from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import URI, Editor, capabilities, insertion

CodeOf = Callable[[dict[str, Any]], str]


def check(items: list[types.InlineCompletionItem], line: int, character: int) -> None:
    """Check what LSP asks of items for a request at this place."""
    for item in items:
        assert item.insert_text
        if item.range is not None:
            assert item.range.start.line == item.range.end.line == line
            assert item.range.start.character <= character <= item.range.end.character


async def test_a_suggestion_is_inserted_at_the_cursor(editor: Editor, fake: FakeEngine) -> None:
    editor.open("def add(a, b):\n    ")
    fake.answer("return a + b\n\n\ndef sub(a, b):")
    (item,) = await editor.complete(1, 4)
    assert item.insert_text == "return a + b"
    place = types.Position(1, 4)
    assert item.range == types.Range(place, place)
    assert item.command is not None
    assert item.command.command == "opencoder.accepted"


async def test_items_have_the_form_that_the_specification_asks_for(editor: Editor) -> None:
    editor.open("def add(a, b):\n    return ")
    check(await editor.complete(1, 11), 1, 11)


async def test_the_model_sees_what_is_left_and_right_of_the_cursor(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor.open("a = 1\nb = \nc = 3\n")
    await editor.complete(1, 4)
    asked = code_of(fake.requests[0])
    assert asked.endswith("a = 1\nb = ")
    assert "c = 3" in asked


async def test_text_that_the_answer_was_made_to_begin_with_is_not_inserted(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("value = comp")
    fake.answer("ute(1)")
    (item,) = await editor.complete(0, 12)
    assert fake.requests[0]["forced_prefix"].endswith("comp")
    assert item.insert_text == "ute(1)"


async def test_an_answer_that_does_not_fit_the_text_left_of_the_cursor_is_not_shown(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("value = comp")
    fake.answer(" something else", exact=True)
    assert await editor.complete(0, 12) == []


async def test_a_document_that_is_not_open_gets_nothing(editor: Editor) -> None:
    assert await editor.complete(0, 0, uri="file:///etc/hostname") == []


@pytest.mark.fault("F32", "P17")
async def test_an_unopened_file_is_never_read(
    editor: Editor, fake: FakeEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("w") / "secret.py"
    file.write_text("password = ")
    assert await editor.complete(0, 11, uri=file.as_uri()) == []
    assert fake.requests == []


async def test_a_closed_document_gets_nothing(editor: Editor) -> None:
    identifier = editor.open("x = ")
    editor.text_document_did_close(types.DidCloseTextDocumentParams(identifier))
    assert await editor.complete(0, 4) == []


@pytest.mark.fault("F24")
async def test_a_position_past_the_end_of_a_line_means_its_end(
    editor: Editor, engine: FakeEngine | None, code_of: CodeOf
) -> None:
    editor.open("x = \ny = 2\n")
    items = await editor.complete(0, 99)
    check(items, 0, 4 if engine else 99)
    assert engine is None or code_of(engine.requests[0]).endswith("x = ")


@pytest.mark.fault("F24")
async def test_a_position_past_the_last_line_is_answered(
    editor: Editor, engine: FakeEngine | None
) -> None:
    editor.open("x = ")
    items = await editor.complete(12, 3)
    if engine is not None:
        check(items, 0, 4)


@pytest.mark.fault("F45")
async def test_an_empty_document_is_answered(editor: Editor) -> None:
    editor.open("")
    check(await editor.complete(0, 0), 0, 0)


@pytest.mark.fault("F31")
async def test_a_document_of_five_megabytes_is_completed(editor: Editor) -> None:
    line = "    total = total + value  # ✓\n"
    count = 5_000_000 // len(line)
    editor.open(line * count)
    editor.type(2, count // 2, 4, "x = ")
    check(await editor.complete(count // 2, 8), count // 2, 8)


@pytest.mark.fault("F31", "S12")
async def test_a_line_of_a_megabyte_is_completed(editor: Editor) -> None:
    editor.open("x = [" + "1, " * 350_000)
    check(await editor.complete(0, 1_050_005), 0, 1_050_005)


@pytest.mark.fault("F27")
@pytest.mark.parametrize("text", ["x = '\ud83d", "\ude00\ud83dx = ", "\x00\ufeff\x1bx = "])
async def test_text_that_cannot_be_encoded_is_completed(
    editor: Editor, engine: FakeEngine | None, text: str
) -> None:
    editor.open(text)
    check(await editor.complete(0, len(text)), 0, len(text))
    assert engine is None or len(engine.requests) == 1


@pytest.mark.fault("F66")
async def test_a_file_that_must_not_be_sent_gets_nothing(editor: Editor, fake: FakeEngine) -> None:
    for name in (".env.local", "ID_RSA", "server.pem", "a/../.env"):
        editor.open("KEY=", uri=f"file:///project/{name}")
        assert await editor.complete(0, 4, uri=f"file:///project/{name}") == []
    assert fake.requests == []


async def test_completion_can_be_switched_off(start: StartEditor, fake: FakeEngine) -> None:
    editor = await start(settings={"completion": {"enabled": False}})
    editor.open("x = ")
    assert await editor.complete(0, 4) == []
    assert fake.requests == []


@pytest.mark.fault("F29", "P16")
async def test_a_document_out_of_step_gets_nothing_until_its_whole_text_comes(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ", version=5)
    editor.change(4, insertion(0, 0, "y"))
    assert await editor.complete(0, 4) == []
    editor.change(6, types.TextDocumentContentChangeWholeDocument("z = "))
    assert len(await editor.complete(0, 4)) == 1


@pytest.mark.fault("F29", "P16")
async def test_a_change_of_an_unopened_document_is_dropped_in_silence(editor: Editor) -> None:
    editor.type(2, 0, 0, "x")
    assert await editor.complete(0, 1) == []
    assert editor.messages == []


@pytest.mark.fault("F32")
async def test_a_document_of_any_scheme_is_completed(editor: Editor, fake: FakeEngine) -> None:
    for uri in (
        "untitled:Untitled-1",
        "vscode-notebook-cell:/project/a.ipynb#W0sZmlsZQ",
        "file:///project/with%20blank/%C3%A9.py",
        "git:/project/a.py?%7B%22ref%22%3A%22~%22%7D",
    ):
        editor.open("x = ", uri=uri)
        assert len(await editor.complete(0, 4, uri=uri)) == 1


async def test_the_path_in_the_prompt_is_below_the_workspace_folder(
    start: StartEditor, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor = await start(folder="file:///home/somebody/project")
    uri = "file:///home/somebody/project/src/a.py"
    editor.open("x = ", uri=uri)
    await editor.complete(0, 4, uri=uri)
    asked = code_of(fake.requests[0])
    assert "src/a.py" in asked
    assert "somebody" not in asked


@pytest.mark.parametrize("rich_items", [True, False])
async def test_an_editor_without_inline_completion_gets_one_completion_item(
    start: StartEditor, fake: FakeEngine, rich_items: bool
) -> None:
    editor = await start(capabilities(inline_completion=False, rich_items=rich_items))
    assert editor.init.capabilities.completion_provider is not None
    identifier = editor.open("value = comp")
    fake.answer("ute(1)\n")
    params = types.CompletionParams(identifier, types.Position(0, 12))
    answer = await editor.text_document_completion_async(params)
    assert isinstance(answer, types.CompletionList)
    (item,) = answer.items
    assert item.label == "compute(1)"
    assert item.detail == "OpenCoder"
    assert isinstance(item.documentation, types.MarkupContent) is rich_items
    span = types.Range(types.Position(0, 8), types.Position(0, 12))
    assert item.text_edit == types.TextEdit(span, "compute(1)")
    assert item.filter_text == "comp"


async def test_an_editor_with_inline_completion_gets_no_completion_items(editor: Editor) -> None:
    if not editor.has_command("opencoder.status"):
        pytest.skip("another server may well offer both")
    assert editor.init.capabilities.completion_provider is None
    params = types.CompletionParams(editor.open("x = "), types.Position(0, 4))
    assert await editor.text_document_completion_async(params) is None


async def test_the_suggestion_so_far_is_reported_on_the_work_done_token(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("x = ")
    fake.answer(["one", " + ", "two"])
    await editor.ask(0, 4, token="wd")
    begin, *reports, end = editor.reports["wd"]
    assert (begin["kind"], end["kind"]) == ("begin", "end")
    assert [report["message"] for report in reports] == ["one", "one +", "one + two"]


async def test_accepting_is_counted(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = ", uri=URI)
    (item,) = await editor.complete(0, 4)
    assert item.command is not None
    assert item.command.arguments is not None
    assert await editor.command(item.command.command, item.command.arguments[0]) == {}
    status = await editor.command("opencoder.status")
    assert status["completions"] == {"shown": 1, "accepted": 1}


async def test_a_bracket_that_the_editor_closed_is_replaced_by_the_items_range(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("print('😀', )\n")
    fake.answer("name)\n")
    (item,) = await editor.complete(0, 12)
    assert item.insert_text == "name)"
    assert item.range == types.Range(types.Position(0, 12), types.Position(0, 13))


async def test_an_editor_without_inline_completion_has_the_bracket_replaced_too(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(inline_completion=False))
    identifier = editor.open("print(val)\n")
    fake.answer("ue)\n")
    params = types.CompletionParams(identifier, types.Position(0, 9))
    answer = await editor.text_document_completion_async(params)
    assert isinstance(answer, types.CompletionList)
    (item,) = answer.items
    span = types.Range(types.Position(0, 6), types.Position(0, 10))
    assert item.text_edit == types.TextEdit(span, "value)")


@pytest.mark.parametrize(
    ("lines", "shown"),
    [("single", "\n    a = 1"), ("multi", "\n    a = 1\n    b = 2"), ("auto", None)],
)
async def test_how_many_lines_are_suggested_can_be_set(
    start: StartEditor, fake: FakeEngine, lines: str, shown: str | None
) -> None:
    editor = await start(settings={"completion": {"lines": lines}})
    editor.open("def f():")
    fake.answer("\n    a = 1\n    b = 2\n\nf()\n")
    (item,) = await editor.complete(0, 8)
    assert item.insert_text == (shown or "\n    a = 1\n    b = 2")


async def test_what_the_file_goes_on_with_is_not_suggested(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("def f():\n    \n    return a\n")
    fake.answer("return a\n")
    assert await editor.complete(1, 4) == []


async def test_typing_along_a_suggestion_whose_indentation_was_repaired_asks_no_engine(
    editor: Editor, fake: FakeEngine
) -> None:
    text = "def f(a):\n\tif a:\n\t\treturn 1\n\n\ndef g(a):\n\t"
    editor.open(text)
    fake.answer("if a:\n        return 2\n\n\ndef")
    (item,) = await editor.complete(6, 1)
    assert item.insert_text == "if a:\n\t\treturn 2"
    asked = len([one for one in fake.requests if not one.get("priority")])
    editor.type(2, 6, 1, "if a:\n\t\tre")
    (item,) = await editor.complete(7, 4)
    assert item.insert_text == "turn 2"
    assert len([one for one in fake.requests if not one.get("priority")]) == asked
