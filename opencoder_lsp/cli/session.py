"""
A session with the real language server, as an editor would have it: over stdio, in LSP's own words.

The commands of the terminal go this way too, so that they show exactly what an editor shows.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from opencoder_lsp import __version__
from opencoder_lsp.cli.files import document_uri
from opencoder_lsp.cli.terminal import errors
from opencoder_lsp.errors import EngineError, OpencoderError

_T = TypeVar("_T")
# A command shows one suggestion, and is done; it is not what somebody was shown while typing.
_OWN = {"completion": {"choices": 1, "ahead": False}, "stats": {"enabled": False}}
OnText = Callable[[str], None]
OnLoading = Callable[[str, int | None], None]  # message, percent


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a file, counted from 0; `character` counts code points (UTF-32)."""

    path: Path
    line: int
    character: int


class _Client(LanguageClient):
    """pygls' client, which says when its server has ended and passes on what that logs."""

    def __init__(self, on_exit: Callable[[int | None], None]) -> None:
        super().__init__("opencoder-cli", __version__)
        self._on_exit = on_exit

    async def start(self, *arguments: str) -> None:
        """Start our own server. It is not in our process group: Ctrl-C is for us to handle."""
        await self.start_io(sys.executable, *arguments, start_new_session=True)
        assert self._server is not None
        assert self._server.stderr is not None
        self._async_tasks.append(asyncio.create_task(_pass_on(self._server.stderr)))

    async def server_exit(self, server: asyncio.subprocess.Process) -> None:
        """Tell who waits for the server."""
        self._on_exit(server.returncode)


async def _pass_on(stream: asyncio.StreamReader) -> None:
    """Copy the server's log to our standard error; unread, it would fill up and stop the server."""
    while data := await stream.read(65536):
        sys.stderr.write(data.decode("utf-8", "replace"))
        sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class _Ended:
    """A status of our own: the server's process has ended."""

    code: int | None
    kind: str = "error"

    @property
    def message(self) -> str:
        """What to tell the user."""
        return f"the language server ended with exit code {self.code}"


class Session:
    """
    The language server as a child process, initialized, for the length of an `async with` block.

    `pairs` are settings as for `--set`, `folders` the workspace's. Methods raise OpencoderError
    with the server's own message.
    """

    def __init__(
        self,
        pairs: Sequence[str] = (),
        *,
        folders: Sequence[Path] = (),
        on_loading: OnLoading | None = None,
    ) -> None:
        # A client's pygls logs a traceback for an answer that comes after Ctrl-C. What matters of
        # the server's errors is raised by our methods.
        logging.getLogger("pygls").setLevel(logging.CRITICAL)
        self._pairs = list(pairs)
        self._folders = list(folders)
        self._on_loading = on_loading
        self._client = _Client(lambda code: self._status.put_nowait(_Ended(code)))
        self._streams: dict[int | str, Callable[[Any], None]] = {}
        self._tokens = itertools.count(1)
        self._status: asyncio.Queue[Any] = asyncio.Queue()
        handlers: dict[str, Callable[[Any], None]] = {
            types.PROGRESS: lambda params: self._progress(params),
            types.WINDOW_WORK_DONE_PROGRESS_CREATE: lambda params: None,
            types.WINDOW_SHOW_MESSAGE: _warn,
            "opencoder/status": lambda params: self._status.put_nowait(params),
        }
        for method, handler in handlers.items():
            self._client.feature(method)(handler)
        self.capabilities = types.ServerCapabilities()

    async def __aenter__(self) -> Self:
        arguments = itertools.chain.from_iterable(("--set", pair) for pair in self._pairs)
        command = ["-m", "opencoder_lsp", "lsp", *arguments]
        await self._client.start(*command)
        answer = await self._answered(self._client.initialize_async(self._initialize_params()))
        self.capabilities = answer.capabilities
        self._client.initialized(types.InitializedParams())
        return self

    async def __aexit__(self, *exc: object) -> None:
        # The server may have ended, or end, by itself: RuntimeError is pygls' word for it.
        with contextlib.suppress(RuntimeError, ConnectionError):
            if not self._client.stopped:
                await self._client.shutdown_async(None)
                self._client.exit(None)
        await self._client.stop()  # type: ignore[no-untyped-call]

    def _initialize_params(self) -> types.InitializeParams:
        folders = [types.WorkspaceFolder(document_uri(path), path.name) for path in self._folders]
        return types.InitializeParams(
            process_id=os.getpid(),
            workspace_folders=folders or None,
            client_info=types.ClientInfo("opencoder-cli", __version__),
            capabilities=types.ClientCapabilities(
                general=types.GeneralClientCapabilities(
                    position_encodings=[types.PositionEncodingKind.Utf32]
                ),
                window=types.WindowClientCapabilities(work_done_progress=True),
                workspace=types.WorkspaceClientCapabilities(
                    workspace_edit=types.WorkspaceEditClientCapabilities(
                        document_changes=True,
                        resource_operations=[types.ResourceOperationKind.Create],
                    )
                ),
                text_document=types.TextDocumentClientCapabilities(
                    inline_completion=types.InlineCompletionClientCapabilities()
                ),
            ),
            initialization_options={"settings": _OWN, "statusNotifications": True},
        )

    def _progress(self, params: types.ProgressParams) -> None:
        if params.token in self._streams:
            self._streams[params.token](params.value)
        elif self._on_loading is not None:
            message = _field(params.value, "message")
            self._on_loading(message or "", _field(params.value, "percentage"))

    async def _answered(self, request: Awaitable[_T]) -> _T:
        try:
            return await request
        except JsonRpcException as error:
            raise OpencoderError(str(error.message)) from error
        except RuntimeError as error:  # pygls: the server process has ended
            raise EngineError(f"the language server ended: {error}") from error

    async def ready(self) -> None:
        """Wait until the engine has loaded its model; EngineError says why it could not."""
        while True:
            status = await self._status.get()
            if status.kind == "ready":
                return
            if status.kind == "error":
                raise EngineError(status.message)

    def open(self, path: Path, language: str, text: str) -> types.TextDocumentIdentifier:
        """Open a document with `text`, which need not be what is on disk."""
        uri = document_uri(path)
        item = types.TextDocumentItem(uri, language, 1, text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return types.TextDocumentIdentifier(uri)

    def close(self, document: types.TextDocumentIdentifier) -> None:
        """Close a document."""
        self._client.text_document_did_close(types.DidCloseTextDocumentParams(document))

    async def complete(self, cursor: Cursor, on_text: OnText | None = None) -> str:
        """
        Return the suggestion at a place of an open document, or "" where there is none.

        `on_text` gets the whole suggestion so far, again and again, while it is made.
        """
        token = f"complete-{next(self._tokens)}"
        if on_text is not None:
            self._streams[token] = lambda value: on_text(_field(value, "message") or "")
        shown = token if on_text is not None else None
        kind = types.InlineCompletionTriggerKind.Invoked
        items = await self.items(cursor, kind, shown)
        self._streams.pop(token, None)
        return inserted(items[0]) if items else ""

    async def items(
        self, cursor: Cursor, kind: types.InlineCompletionTriggerKind, token: str | None = None
    ) -> Sequence[types.InlineCompletionItem]:
        """Return what the server answers at a place of an open document, as it is."""
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(document_uri(cursor.path)),
            position=types.Position(cursor.line, cursor.character),
            context=types.InlineCompletionContext(kind),
            work_done_token=token,
        )
        answer = await self._answered(self._client.text_document_inline_completion_async(params))
        return answer.items if isinstance(answer, types.InlineCompletionList) else answer or []

    async def command(
        self, name: str, arguments: dict[str, Any], on_text: OnText | None = None
    ) -> dict[str, Any]:
        """Run one of the server's commands; `on_text` gets each piece of the answer as it comes."""
        return await self._command(name, arguments, on_text, f"command-{next(self._tokens)}")

    async def chat(
        self, arguments: dict[str, Any], on_text: OnText | None = None
    ) -> dict[str, Any]:
        """Do so with `opencoder.chat`; cancelling this returns what was said so far."""
        id = f"chat-{next(self._tokens)}"
        request = asyncio.ensure_future(self._command("opencoder.chat", arguments, on_text, id))
        try:
            return await asyncio.shield(request)
        except asyncio.CancelledError:
            self._client.cancel_request(types.CancelParams(id))
            return await request

    async def _command(
        self, name: str, arguments: dict[str, Any], on_text: OnText | None, id: str
    ) -> dict[str, Any]:
        if on_text is not None:
            self._streams[id] = lambda value: on_text(_field(value, "text") or "")
            arguments = {**arguments, "token": id}
        params = types.ExecuteCommandParams(command=name, arguments=[arguments])
        send = self._client.protocol.send_request
        try:
            request = send(types.WORKSPACE_EXECUTE_COMMAND, params, msg_id=id)
            answer: Any = await self._answered(asyncio.wrap_future(request))
            return dict(answer)
        finally:
            self._streams.pop(id, None)


def inserted(item: types.InlineCompletionItem) -> str:
    """Return the text that an item inserts."""
    text = item.insert_text
    return text if isinstance(text, str) else text.value


def _warn(params: types.ShowMessageParams) -> None:
    """Show a warning; errors are those of our methods."""
    if params.type == types.MessageType.Warning:
        errors.print(params.message, soft_wrap=True)


def _field(value: Any, name: str) -> Any:
    """Read a field of a progress value, which pygls gives as a dict or as an object."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)
