"""Code actions and code lenses: what is offered where, and what becomes of a choice."""

from collections.abc import Sequence
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import URI, Editor, capabilities, insertion
from tests.protocol.raw import RawServer

CODE = "import os\n\ndef add(a, b):\n    return a - b\n\nprint(add(1, 2))\n"
EXPLAIN, FIX = "Explain with OpenCoder", "Fix with OpenCoder"
DOCUMENT, TEST = "Document with OpenCoder", "Write tests with OpenCoder"
REFACTOR = "Refactor with OpenCoder"
FIXED = "```python\ndef add(a, b):\n    return a + b\n```"


def span(first: int, start: int, last: int, end: int) -> types.Range:
    return types.Range(types.Position(first, start), types.Position(last, end))


FUNCTION, CURSOR = span(2, 0, 3, 16), span(3, 6, 3, 6)
PROBLEM = types.Diagnostic(span(3, 11, 3, 16), "should be a sum", source="mypy", code="math")


async def offered(
    editor: Editor,
    where: types.Range,
    *,
    only: Sequence[str] | None = None,
    automatic: bool = False,
    diagnostics: Sequence[types.Diagnostic] = (),
) -> list[types.CodeAction]:
    trigger = types.CodeActionTriggerKind.Automatic if automatic else None
    context = types.CodeActionContext(list(diagnostics), only=only, trigger_kind=trigger)
    params = types.CodeActionParams(types.TextDocumentIdentifier(URI), where, context)
    answer = await editor.text_document_code_action_async(params)
    actions = [action for action in answer or [] if isinstance(action, types.CodeAction)]
    assert len(actions) == len(answer or [])
    return actions


@pytest.fixture
def opened(editor: Editor, fake: FakeEngine) -> Editor:
    editor.open(CODE)
    return editor


async def test_what_makes_sense_at_the_place_is_offered(opened: Editor) -> None:
    async def titles(where: types.Range, **how: Any) -> list[str]:
        return [action.title for action in await offered(opened, where, **how)]

    assert await titles(FUNCTION) == [EXPLAIN, DOCUMENT, TEST, REFACTOR]
    assert await titles(CURSOR) == [EXPLAIN, DOCUMENT, TEST]
    assert await titles(CURSOR, diagnostics=[PROBLEM]) == [EXPLAIN, FIX, DOCUMENT, TEST]
    assert await titles(span(5, 0, 5, 0), diagnostics=[PROBLEM]) == [EXPLAIN]
    assert await titles(span(5, 0, 5, 5)) == [EXPLAIN, REFACTOR]
    assert await titles(span(1, 0, 1, 0)) == []
    assert await titles(span(90, 0, 91, 0)) == []


async def test_without_being_asked_only_a_problem_lights_the_bulb(opened: Editor) -> None:
    assert await offered(opened, CURSOR, automatic=True) == []
    (fix,) = await offered(opened, CURSOR, automatic=True, diagnostics=[PROBLEM])
    assert fix.title == FIX
    assert list(fix.diagnostics or []) == [PROBLEM]
    assert len(await offered(opened, FUNCTION, automatic=True)) == 4


async def test_only_the_kinds_that_the_editor_asks_for_are_offered(opened: Editor) -> None:
    for only, expected in (
        ([""], [EXPLAIN, FIX, DOCUMENT, TEST, REFACTOR]),
        (["quickfix"], [FIX]),
        (["refactor"], [DOCUMENT, TEST, REFACTOR]),
        (["refactor.rewrite", "quickfix"], [FIX, DOCUMENT, TEST, REFACTOR]),
        (["opencoder"], [EXPLAIN]),
        (["refactor.extract", "source", "quick"], []),
    ):
        actions = await offered(opened, FUNCTION, only=only, diagnostics=[PROBLEM])
        assert [action.title for action in actions] == expected


async def test_nothing_is_asked_before_the_user_has_chosen_and_then_the_edit_comes(
    opened: Editor, fake: FakeEngine
) -> None:
    actions = await offered(opened, CURSOR, diagnostics=[PROBLEM])
    fix = next(action for action in actions if action.title == FIX)
    assert fix.edit is None
    assert fix.command is None
    assert list(fix.tags or []) == [types.CodeActionTag.LlmGenerated]
    assert fake.requests == []
    fake.answer(FIXED)
    resolved = await opened.code_action_resolve_async(fix)
    assert resolved.edit is not None
    assert resolved.edit.document_changes is not None
    (change,) = resolved.edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert [
        edit.new_text for edit in change.edits if isinstance(edit, types.AnnotatedTextEdit)
    ] == ["    return a + b\n"]
    assert opened.applied == []


async def test_the_model_is_told_what_the_action_was_offered_for(
    opened: Editor, fake: FakeEngine, code_of: Any
) -> None:
    (fix,) = await offered(opened, CURSOR, automatic=True, diagnostics=[PROBLEM])
    await opened.code_action_resolve_async(fix)
    assert "- line 2 (`return a - b`): should be a sum (mypy math)" in code_of(fake.requests[0])


async def test_an_answer_that_is_no_edit_is_shown_with_the_reason(
    opened: Editor, fake: FakeEngine
) -> None:
    (fix,) = await offered(opened, CURSOR, only=["quickfix"], diagnostics=[PROBLEM])
    fake.answer("It looks fine.")
    assert (await opened.code_action_resolve_async(fix)).edit is None
    (message,) = opened.messages
    assert message.message == (
        "Fix with OpenCoder: module.py is not changed\n\n"
        "The answer has no code, only words.\n\nIt looks fine."
    )


async def test_a_choice_for_a_text_that_has_changed_is_refused(
    opened: Editor, fake: FakeEngine
) -> None:
    (fix,) = await offered(opened, CURSOR, only=["quickfix"], diagnostics=[PROBLEM])
    opened.change(2, insertion(0, 0, "#"))
    with pytest.raises(JsonRpcException, match="has changed") as error:
        await opened.code_action_resolve_async(fix)
    assert error.value.code == -32803
    assert fake.requests == []


async def test_an_action_that_is_not_one_of_ours_is_left_as_it_is(opened: Editor) -> None:
    for data in (None, 5, {}, {"task": "explain"}, {"task": ["fix"]}):
        action = types.CodeAction("Other", data=data)
        assert (await opened.code_action_resolve_async(action)).edit is None


async def test_an_action_with_bad_arguments_is_refused(opened: Editor) -> None:
    action = types.CodeAction("Ours", data={"task": "fix", "arguments": {"uri": URI}})
    with pytest.raises(JsonRpcException, match="range") as error:
        await opened.code_action_resolve_async(action)
    assert error.value.code == -32602


async def test_for_an_editor_that_resolves_nothing_the_server_lets_it_apply_the_edit(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(actions=False))
    editor.open(CODE)
    (fix,) = await offered(editor, CURSOR, only=["quickfix"], diagnostics=[PROBLEM])
    assert fix.tags is None
    assert fix.data is None
    assert fix.command is not None
    assert fix.command.command == "opencoder.fix"
    fake.answer(FIXED)
    await editor.workspace_execute_command_async(
        types.ExecuteCommandParams(fix.command.command, fix.command.arguments)
    )
    (applied,) = editor.applied
    assert applied.label == FIX
    assert applied.edit.document_changes is not None


async def test_the_action_that_explains_is_a_command_that_shows(
    raw: RawServer, fake: FakeEngine
) -> None:
    async with raw:
        await raw.initialize()
        item = {"uri": URI, "languageId": "python", "version": 1, "text": CODE}
        raw.send("textDocument/didOpen", {"textDocument": item})
        whole = {"start": {"line": 2, "character": 0}, "end": {"line": 3, "character": 16}}
        context = {"diagnostics": [], "only": ["opencoder.explain"]}
        params = {"textDocument": {"uri": URI}, "range": whole, "context": context}
        (action,) = (await raw.request(1, "textDocument/codeAction", params))["result"]
        assert action["title"] == action["command"]["title"] == EXPLAIN
        assert action["command"]["command"] == "opencoder.explain"
        assert action["command"]["arguments"] == [{"uri": URI, "range": whole, "show": True}]


async def lenses(editor: Editor) -> list[tuple[int, str]]:
    params = types.CodeLensParams(types.TextDocumentIdentifier(URI))
    answer = await editor.text_document_code_lens_async(params)
    return [(lens.range.start.line, lens.command.title) for lens in answer or [] if lens.command]


async def test_there_are_no_lenses_unless_the_user_wants_them(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(), settings={"completion": {"max_tokens": 32}})
    editor.open(CODE)
    assert await lenses(editor) == []
    params = types.DidChangeConfigurationParams({"opencoder": {"chat": {"code_lens": True}}})
    editor.workspace_did_change_configuration(params)
    await editor.until(lambda: editor.refreshes)
    assert await lenses(editor) == [(2, "Explain"), (2, "Document"), (2, "Test")]


async def test_a_lens_does_its_work_for_the_definition_below_it(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(), settings={"chat": {"code_lens": True}})
    editor.open(CODE)
    params = types.CodeLensParams(types.TextDocumentIdentifier(URI))
    answer = await editor.text_document_code_lens_async(params)
    assert answer is not None
    commands = [lens.command for lens in answer if lens.command]
    (document,) = [command for command in commands if command.title == "Document"]
    fake.answer('"""Add."""')
    await editor.workspace_execute_command_async(
        types.ExecuteCommandParams(document.command, document.arguments)
    )
    assert len(editor.applied) == 1


async def test_a_file_that_is_not_sent_has_neither_actions_nor_lenses(
    start: StartEditor, fake: FakeEngine
) -> None:
    editor = await start(capabilities(), settings={"chat": {"code_lens": True}})
    uri = "file:///project/credentials.py"
    identifier = editor.open(CODE, uri=uri)
    action = types.CodeActionParams(identifier, FUNCTION, types.CodeActionContext([]))
    assert not await editor.text_document_code_action_async(action)
    assert not await editor.text_document_code_lens_async(types.CodeLensParams(identifier))
