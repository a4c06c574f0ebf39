"""Params that are not what they should be: refused in requests, left out of `initialize`."""

from typing import Any

import pytest
from lsprotocol import types

from opencoder_lsp.lsp.conversion import make_converter, structured

ASK = {
    "textDocument": {"uri": "file:///a.py"},
    "position": {"line": 0, "character": 4},
    "context": {"triggerKind": 2},
}
INITIALIZE: dict[str, Any] = {"processId": 7, "rootUri": None, "capabilities": {}}


@pytest.mark.fault("F11")
@pytest.mark.parametrize(
    "change",
    [
        {"position": {"line": "0", "character": 4}},
        {"position": {"line": 0.5, "character": 4}},
        {"position": {"line": True, "character": 4}},
        {"position": {"line": None, "character": 4}},
        {"position": {"line": -1, "character": 4}},
        {"position": {"line": 2**31, "character": 4}},
        {"position": [0, 4]},
        {"textDocument": {"uri": 5}},
        {"textDocument": {"uri": None}},
        {"textDocument": {"uri": ["file:///a.py"]}},
        {"context": {"triggerKind": 9}},
        {"context": {"triggerKind": "2"}},
        {"workDoneToken": {}},
        {"workDoneToken": [1]},
        {"workDoneToken": 1.5},
        {"workDoneToken": True},
    ],
    ids=str,
)
def test_a_value_of_another_type_is_not_taken_for_something_else(change: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="structuring InlineCompletionParams"):
        make_converter().structure({**ASK, **change}, types.InlineCompletionParams)


@pytest.mark.parametrize("language", [5, 0.5, True, None, ["python"]])
def test_a_language_is_a_name(language: Any) -> None:
    item = {"uri": "file:///a.py", "languageId": "of tomorrow", "version": 1, "text": ""}
    converter = make_converter()
    assert converter.structure(item, types.TextDocumentItem).language_id == "of tomorrow"
    with pytest.raises(Exception, match="structuring TextDocumentItem"):
        converter.structure({**item, "languageId": language}, types.TextDocumentItem)


def test_whole_numbers_are_integers_however_they_are_written() -> None:
    given = {**ASK, "position": {"line": 0.0, "character": 4.0}, "workDoneToken": 1.0}
    params = make_converter().structure(given, types.InlineCompletionParams)
    assert params.position == types.Position(0, 4)
    assert params.work_done_token == 1
    assert type(params.position.character) is int


@pytest.mark.parametrize("token", ["a", 7, None])
def test_tokens_are_strings_integers_or_not_there(token: str | int | None) -> None:
    given = {**ASK, "workDoneToken": token}
    params = make_converter().structure(given, types.InlineCompletionParams)
    assert params.work_done_token == token


def test_text_that_is_no_text_is_refused_in_a_change() -> None:
    given = {"textDocument": {"uri": "u", "version": 2}, "contentChanges": [{"text": 5}]}
    with pytest.raises(Exception, match="structuring DidChangeTextDocumentParams"):
        make_converter().structure(given, types.DidChangeTextDocumentParams)


def test_params_of_methods_that_lsp_does_not_know_are_as_they_came() -> None:
    assert structured(make_converter(), "test/other", {"a": [1]}) == {"a": [1]}
    assert structured(make_converter(), types.SHUTDOWN, None) is None


def initialized(value: Any) -> types.InitializeParams:
    params = structured(make_converter(), types.INITIALIZE, value)
    assert isinstance(params, types.InitializeParams)
    return params


def test_params_of_initialize_as_they_should_be_are_taken_whole() -> None:
    capabilities = {
        "window": {"workDoneProgress": True},
        "general": {"positionEncodings": ["utf-8"]},
    }
    params = initialized({**INITIALIZE, "capabilities": capabilities})
    assert params.process_id == 7
    assert params.capabilities.window == types.WindowClientCapabilities(work_done_progress=True)
    assert params.capabilities.general is not None
    assert list(params.capabilities.general.position_encodings or ()) == ["utf-8"]


@pytest.mark.parametrize(
    "odd",
    [
        {"textDocument": {"publishDiagnostics": {"tagSupport": {"valueSet": [1, 2, 99]}}}},
        {"textDocument": {"semanticTokens": {}}},
        {"textDocument": {"hover": {"contentFormat": ["markdown", "html"]}}},
        {"textDocument": {"rename": {"prepareSupportDefaultBehavior": 9}}},
        {"workspace": {"symbol": {"symbolKind": {"valueSet": [1, 99]}}}},
        {"workspace": {"workspaceEdit": {"resourceOperations": ["create", "split"]}}},
        {"workspace": {"workspaceEdit": {"failureHandling": "improvise"}}},
        {"general": {"regularExpressions": {}}},
        {"general": "yes"},
        {"notebookDocument": 5, "experimental": [1], "of a later version": {"x": 1}},
    ],
    ids=str,
)
def test_what_is_odd_among_capabilities_is_left_out_and_the_rest_counts(
    odd: dict[str, Any],
) -> None:
    sound: dict[str, Any] = {
        "textDocument": {"inlineCompletion": {}, "completion": {"contextSupport": True}},
        "window": {"workDoneProgress": True},
    }
    mixed = {**sound, **odd, "textDocument": sound["textDocument"] | odd.get("textDocument", {})}
    capabilities = initialized({**INITIALIZE, "capabilities": mixed}).capabilities
    assert capabilities.text_document is not None
    assert capabilities.text_document.inline_completion is not None
    assert capabilities.text_document.completion is not None
    assert capabilities.text_document.completion.context_support is True
    assert capabilities.window == types.WindowClientCapabilities(work_done_progress=True)


@pytest.mark.parametrize(
    "change",
    [
        {"processId": "7"},
        {"processId": {}},
        {"rootUri": 5},
        {"workspaceFolders": [{"uri": "file:///w"}]},
        {"workspaceFolders": "file:///w"},
        {"clientInfo": "vim"},
        {"clientInfo": {}},
        {"trace": "compact"},
        {"locale": 5},
        {"workDoneToken": {}},
        {"capabilities": None},
        {"capabilities": [1]},
    ],
    ids=str,
)
def test_what_is_odd_beside_capabilities_is_left_out_too(change: dict[str, Any]) -> None:
    params = initialized({**INITIALIZE, "initializationOptions": {"a": 1}, **change})
    assert params.initialization_options == {"a": 1}
    (name,) = change
    if name == "processId":
        assert params.process_id is None


def test_an_empty_initialize_is_one_without_capabilities() -> None:
    assert initialized({}).capabilities == types.ClientCapabilities()


@pytest.mark.parametrize("value", [None, [], "initialize", 5])
def test_params_of_initialize_that_are_no_object_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no object"):
        initialized(value)
