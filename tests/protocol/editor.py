"""An editor without a screen: pytest-lsp's client, with what our tests ask and look at."""

import asyncio
from collections.abc import Sequence
from typing import Any

from cattrs import Converter
from lsprotocol import types
from pygls.protocol import default_converter
from pytest_lsp import LanguageClient
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

URI = "file:///project/module.py"
TIMEOUT = 60.0  # seconds for anything that an editor waits for


class Editor(LanguageClient):
    """
    One editor window and its server process.

    What the server sends is kept: `messages` and `shown_documents` (pytest-lsp's), `reports` of
    progress by token, `statuses`, the edits `applied` (to which it answers `applies`, and which
    change nothing here), and the texts streamed on a token by `streamed`. All of it comes
    in the order in which it was sent: what the server sent before an answer is there with it. What
    follows from anything else must be waited for with `until`.
    """

    def __init__(self) -> None:
        super().__init__(converter_factory=_converter)
        self.reports: dict[int | str, list[Any]] = {}
        self.statuses: list[Any] = []
        self.applied: list[types.ApplyWorkspaceEditParams] = []
        self.applies = types.ApplyWorkspaceEditResult(applied=True)
        self.refreshes = 0  # of code lenses
        self.init = types.InitializeResult(types.ServerCapabilities())
        self.arrived = asyncio.Event()
        features = {**DEFAULT_CLIENT_FEATURES, types.PROGRESS: _progress}
        features[types.CLIENT_REGISTER_CAPABILITY] = _register
        features[types.WINDOW_SHOW_MESSAGE] = _message
        features[types.WORKSPACE_APPLY_EDIT] = _apply
        features[types.WORKSPACE_CODE_LENS_REFRESH] = _refresh
        features["opencoder/status"] = _status
        register_lsp_features(self, features)

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._server is not None
        return self._server.pid

    @property
    def exit_code(self) -> int | None:
        """The server's exit code, once it has ended."""
        assert self._server is not None
        return self._server.returncode

    async def exited(self) -> int:
        """Wait for the server's end and return its exit code."""
        assert self._server is not None
        async with asyncio.timeout(TIMEOUT):
            return await self._server.wait()

    async def until(self, condition: Any) -> None:
        """Wait until a condition on what has arrived holds."""
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()

    async def ready(self) -> None:
        """Wait until the server says that its engine is ready; only ours says so."""
        await self.until(lambda: self.statuses and self.statuses[-1].kind == "ready")

    def streamed(self, token: int | str) -> str:
        """Return the text that was streamed on a token so far."""
        return "".join(value["text"] for value in self.reports.get(token, []))

    def open(
        self, text: str, uri: str = URI, language: str = "python", version: int = 1
    ) -> types.TextDocumentIdentifier:
        """Open a document."""
        item = types.TextDocumentItem(uri, language, version, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return types.TextDocumentIdentifier(uri)

    def change(
        self, version: int, *changes: types.TextDocumentContentChangeEvent, uri: str = URI
    ) -> None:
        """Change a document."""
        identifier = types.VersionedTextDocumentIdentifier(version, uri)
        params = types.DidChangeTextDocumentParams(identifier, list(changes))
        self.text_document_did_change(params)

    def type(self, version: int, line: int, character: int, text: str, uri: str = URI) -> None:
        """Type text at a place of a document."""
        self.change(version, insertion(line, character, text), uri=uri)

    def ask(
        self,
        line: int,
        character: int,
        *,
        uri: str = URI,
        request_id: int | str | None = None,
        token: int | str | None = None,
        trigger: types.InlineCompletionTriggerKind = types.InlineCompletionTriggerKind.Automatic,
        selected: types.SelectedCompletionInfo | None = None,
    ) -> "asyncio.Future[types.InlineCompletionList | None]":
        """Request an inline completion, and return the future of its answer."""
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(uri),
            position=types.Position(line, character),
            context=types.InlineCompletionContext(trigger, selected),
            work_done_token=token,
        )
        return self._send(types.TEXT_DOCUMENT_INLINE_COMPLETION, params, request_id)

    async def complete(
        self, line: int, character: int, *, uri: str = URI
    ) -> list[types.InlineCompletionItem]:
        """Request an inline completion, as typing does, and return its items."""
        return items_of(await self.ask(line, character, uri=uri))

    async def invoke(self, line: int, character: int) -> list[types.InlineCompletionItem]:
        """Request an inline completion, as the user does, who waits for the engine."""
        kind = types.InlineCompletionTriggerKind.Invoked
        return items_of(await self.ask(line, character, trigger=kind))

    async def command(self, name: str, arguments: Any = None, **params: Any) -> Any:
        """Run a command; without `arguments` with none at all."""
        return await self.send_command(name, arguments, **params)

    def send_command(
        self, name: str, arguments: Any = None, request_id: int | str | None = None, **params: Any
    ) -> "asyncio.Future[Any]":
        """Send a command, and return the future of its result as plain JSON."""
        given = None if arguments is None else [arguments]
        execute = types.ExecuteCommandParams(command=name, arguments=given, **params)
        return self._send(types.WORKSPACE_EXECUTE_COMMAND, execute, request_id)

    def _send(
        self, method: str, params: Any, request_id: int | str | None
    ) -> "asyncio.Future[Any]":
        """Send a request now: pytest-lsp's own way sends it only when it is awaited."""
        answer = asyncio.wrap_future(self.protocol.send_request(method, params, msg_id=request_id))
        return asyncio.ensure_future(_within(answer))

    def has_command(self, name: str) -> bool:
        """Whether the server offers a command."""
        provider = self.init.capabilities.execute_command_provider
        return provider is not None and name in provider.commands


async def _within(request: "asyncio.Future[Any]") -> Any:
    async with asyncio.timeout(TIMEOUT):
        return await request


def items_of(
    answer: types.InlineCompletionList | Sequence[types.InlineCompletionItem] | None,
) -> list[types.InlineCompletionItem]:
    """Return the items of an answer, whichever of the three forms it has."""
    if answer is None:
        return []
    return list(answer.items if isinstance(answer, types.InlineCompletionList) else answer)


def insertion(line: int, character: int, text: str) -> types.TextDocumentContentChangePartial:
    """Return the change that inserts text at a place."""
    place = types.Position(line, character)
    return types.TextDocumentContentChangePartial(types.Range(place, place), text)


def capabilities(
    *,
    encodings: Sequence[str] | None = None,
    inline_completion: bool = True,
    rich_items: bool = True,
    configuration: bool = False,
    show_document: bool = False,
    virtual_documents: bool = False,
    work_done: bool = True,
    notebooks: bool = False,
    edits: bool = True,
    actions: bool = True,
) -> types.ClientCapabilities:
    """
    Return the capabilities of an editor.

    `edits` is all there is to edits of a workspace, `actions` all there is to code actions.
    """
    items = types.ClientCompletionItemOptions(
        documentation_format=[types.MarkupKind.Markdown, types.MarkupKind.PlainText],
        label_details_support=True,
    )
    result = types.ClientCapabilities(
        text_document=types.TextDocumentClientCapabilities(
            completion=types.CompletionClientCapabilities(
                completion_item=items if rich_items else None
            ),
        ),
        window=types.WindowClientCapabilities(
            work_done_progress=work_done,
            show_document=types.ShowDocumentClientCapabilities(support=show_document),
        ),
        workspace=types.WorkspaceClientCapabilities(
            configuration=configuration,
            did_change_configuration=types.DidChangeConfigurationClientCapabilities(
                dynamic_registration=configuration
            ),
        ),
    )
    assert result.text_document is not None
    assert result.workspace is not None
    if edits:
        result.workspace.apply_edit = True
        result.workspace.workspace_edit = types.WorkspaceEditClientCapabilities(
            document_changes=True,
            resource_operations=[types.ResourceOperationKind.Create],
            change_annotation_support=types.ChangeAnnotationsSupportOptions(),
        )
        result.workspace.code_lens = types.CodeLensWorkspaceClientCapabilities(refresh_support=True)
    if actions:
        result.text_document.code_action = types.CodeActionClientCapabilities(
            data_support=True,
            resolve_support=types.ClientCodeActionResolveOptions(["edit"]),
            tag_support=types.CodeActionTagOptions([types.CodeActionTag.LlmGenerated]),
        )
    if encodings is not None:
        result.general = types.GeneralClientCapabilities(position_encodings=list(encodings))
    if notebooks:
        result.notebook_document = types.NotebookDocumentClientCapabilities(
            types.NotebookDocumentSyncClientCapabilities()
        )
    if inline_completion:
        result.text_document.inline_completion = types.InlineCompletionClientCapabilities()
    if virtual_documents:
        result.workspace.text_document_content = types.TextDocumentContentClientCapabilities()
    return result


def _converter() -> Converter:
    """Return pygls' converter, which takes a code action that has a command for a bare command."""
    converter: Converter = default_converter()  # type: ignore[no-untyped-call]
    either: Any = types.Command | types.CodeAction

    def structure(value: Any, _: Any) -> types.Command | types.CodeAction:
        if isinstance(value.get("command"), str):
            return converter.structure(value, types.Command)
        return converter.structure(value, types.CodeAction)

    converter.register_structure_hook(either, structure)
    return converter


def _progress(editor: Editor, params: types.ProgressParams) -> None:
    """Replace pytest-lsp's handler, which knows only work-done progress."""
    editor.reports.setdefault(params.token, []).append(params.value)
    editor.arrived.set()


def _message(editor: Editor, params: types.ShowMessageParams) -> None:
    editor.messages.append(params)
    editor.arrived.set()


def _status(editor: Editor, params: Any) -> None:
    editor.statuses.append(params)
    editor.arrived.set()


def _apply(
    editor: Editor, params: types.ApplyWorkspaceEditParams
) -> types.ApplyWorkspaceEditResult:
    editor.applied.append(params)
    return editor.applies


def _refresh(editor: Editor, params: None) -> None:
    editor.refreshes += 1
    editor.arrived.set()


def _register(editor: Editor, params: types.RegistrationParams) -> None:
    """Accept what the server registers."""
