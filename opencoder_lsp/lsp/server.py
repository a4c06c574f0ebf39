"""The language server: what it holds, what it does when something happens, and how it runs."""

import asyncio
import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass
from functools import partial

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from opencoder_lsp import __version__
from opencoder_lsp.client.connection import Status
from opencoder_lsp.client.roles import connections
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.lsp import features, lenses
from opencoder_lsp.lsp.acceptance import Acceptance
from opencoder_lsp.lsp.ahead import Ahead
from opencoder_lsp.lsp.answers import SCHEME, Answers
from opencoder_lsp.lsp.configuration import Configuration
from opencoder_lsp.lsp.context import Context
from opencoder_lsp.lsp.continuation import EngineSource
from opencoder_lsp.lsp.conversion import make_converter
from opencoder_lsp.lsp.documents import Document, Documents, Encoding
from opencoder_lsp.lsp.failures import Troubles
from opencoder_lsp.lsp.folders import WorkspaceFolders
from opencoder_lsp.lsp.habits import Habits
from opencoder_lsp.lsp.logs import log_failure, logging_in_background
from opencoder_lsp.lsp.notebooks import Notebooks
from opencoder_lsp.lsp.parent import parent_gone
from opencoder_lsp.lsp.progress import LoadingProgress, Token
from opencoder_lsp.lsp.protocol import Phase, Protocol
from opencoder_lsp.lsp.pulling import begin
from opencoder_lsp.lsp.status import StatusNotifications
from opencoder_lsp.lsp.stdio import Reader, Writer
from opencoder_lsp.lsp.suggestion import Session
from opencoder_lsp.prompt.privacy import refusal
from opencoder_lsp.settings import Settings

log = logging.getLogger(__name__)

_LAST_WORDS = 1.0  # seconds for what is written when the server ends
_EXIT_PATIENCE = 2.0  # seconds from the wish to end to the end, whatever hangs


@dataclass
class Counts:
    """Suggestions since the start."""

    shown: int = 0
    accepted: int = 0


class Server(LanguageServer):
    """One editor's server. Everything here runs on one event loop."""

    protocol: Protocol

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            "opencoder-lsp",
            __version__,
            protocol_cls=Protocol,
            converter_factory=make_converter,
        )
        self.documents = Documents()
        self.notebooks = Notebooks(lambda: self.documents)
        self.workspace_folders = WorkspaceFolders()
        self.troubles = Troubles(self.show_message)
        # Apart from the engine's: an answer that comes says nothing of whether it can be kept.
        self.keeping = Troubles(self.show_message)
        self.configuration = Configuration(settings, self.troubles.warn)
        roles = connections(settings, self._on_status, self.troubles.warn, main="completion")
        self.connection, self.chat_connection = roles["completion"], roles["chat"]
        self.conversations = Store()
        self.answers = Answers()
        self.counts = Counts()
        self.acceptance = Acceptance(lambda: self.configuration.settings.stats.enabled)
        self.cancellable: dict[Token, asyncio.Task[object]] = {}
        self._sessions: dict[str, Session] = {}
        self.context = Context(
            lambda: self.documents,
            self.notebooks,
            self.workspace_folders,
            lambda: self.configuration.settings,
        )
        self.habits = Habits(debounce=lambda: self.configuration.settings.completion.debounce)
        self.ahead = Ahead(self)
        self._loading = LoadingProgress(self)
        self.status = StatusNotifications(self)
        self._editor: asyncio.Task[None] | None = None  # watches the editor's process
        self._exit: asyncio.Future[int] | None = None
        features.register(self)

    # What the client can do.

    @property
    def has_inline_completion(self) -> bool:
        """Whether the client asks for ghost text, and needs no completion items from us."""
        document = self.client_capabilities.text_document
        return document is not None and document.inline_completion is not None

    @property
    def shows_documents(self) -> bool:
        """Whether the client shows a document when told to."""
        window = self.client_capabilities.window
        return bool(window and window.show_document and window.show_document.support)

    @property
    def reads_virtual_documents(self) -> bool:
        """Whether the client asks the server for the text of its documents."""
        workspace = self.client_capabilities.workspace
        return workspace is not None and workspace.text_document_content is not None

    # What happens.

    def on_initialize(self, params: types.InitializeParams, encoding: Encoding) -> None:
        """Take what the client says of itself."""
        self.documents = Documents(encoding)
        self.workspace_folders.initialize(params)
        self.configuration.initialize(params.initialization_options)
        if params.process_id is not None:
            self._editor = asyncio.create_task(self._leave_with(params.process_id))

    def completed(self, capabilities: types.ServerCapabilities) -> types.ServerCapabilities:
        """Correct the capabilities where pygls cannot know them, or the client needs fewer."""
        if self.has_inline_completion:
            capabilities.completion_provider = None
        if self.reads_virtual_documents and capabilities.workspace is not None:
            content = types.TextDocumentContentOptions(schemes=[SCHEME])
            capabilities.workspace.text_document_content = content
        return capabilities

    async def on_initialized(self) -> None:
        """Begin with what need not be done before `initialize` is answered."""
        self.status.send()
        self.protocol.run_in_background(self._connect())
        await begin(self)

    def on_change(self, document: Document) -> None:
        """Note that the text of a document has changed, and so what is around its neighbours."""
        self.habits.pace.key()
        self.ahead.changed(document)
        for uri in self.notebooks.cells(document.uri):
            session, cell = self._sessions.get(uri), self.documents.get(uri)
            if session is not None and cell is not None and not session.is_empty:
                session.changed(self.notebooks.whole(cell))

    def on_too_large(self, opens: bool) -> None:
        """Note that a message was passed over; `opens` is whether it only opened a document."""
        self.troubles.warn("a file is too large: the editor sent more than 64 MiB at once")
        if not opens:  # whose text it changed is not known
            self.documents.lose_all()

    def on_close(self, uri: str) -> None:
        """End what goes on for a document."""
        self.acceptance.forget(uri)
        self.ahead.stop()
        session = self._sessions.pop(uri, None)
        if session is not None:
            session.close()

    def session_of(self, uri: str) -> Session:
        """Return the suggestion session of an open document."""
        if uri not in self._sessions:
            self._sessions[uri] = Session(self.source_of(uri), self.habits)
        return self._sessions[uri]

    def source_of(self, uri: str) -> EngineSource:
        """Return what opens the engine's streams for an open document."""
        snippets = partial(self.context.snippets, uri)
        return EngineSource(
            self.connection.engine_at_once, lambda: self.configuration.settings.completion, snippets
        )

    def refusal(self, uri: str) -> str:
        """Return why a document that the user works on may not be sent; "" where it may."""
        path = self.workspace_folders.file_path(self.notebooks.owner(uri))
        return refusal(path, self.configuration.settings, self.workspace_folders.paths)

    def configure(self, section: object) -> None:
        """Take our section of the client's settings."""
        before = self.configuration.settings
        self.configuration.change(section)
        after = self.configuration.settings
        if after == before:  # what waits need not be asked for again
            return
        if after.chat.code_lens != before.chat.code_lens:
            lenses.refresh(self)
        for uri in list(self._sessions):  # what was made with the old settings
            self.on_close(uri)

    async def _connect(self) -> None:
        try:
            await self.connection.engine()
        except OpencoderError as error:
            self.troubles.report(error)

    async def _leave_with(self, process_id: int) -> None:
        await parent_gone(process_id)
        log.warning("the editor's process has gone")
        self._client_gone()

    # What is said.

    def show_message(self, kind: types.MessageType, text: str) -> None:
        """Show a message to the user, if a session is open."""
        if self.protocol.phase is Phase.OPEN:
            self.window_show_message(types.ShowMessageParams(kind, text))

    def _on_status(self, status: Status) -> None:
        self._loading.update(status)
        self.status.send()
        if status.kind == "ready":
            self.ahead.ready()

    # Running.

    def stop(self, code: int) -> None:
        """End the server with this exit code; the first call counts."""
        if self._exit is not None and not self._exit.done():
            self._exit.set_result(code)

    def _client_gone(self) -> None:
        """End because nobody is there any more: in good order only after `shutdown`."""
        self.stop(0 if self.protocol.phase is Phase.SHUT else 1)

    async def serve(self, stdin: int, stdout: int) -> int:
        """Serve the client at two file descriptors to the end, and return the exit code."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_failure)
        self._exit = loop.create_future()
        writer = Writer(stdout, self._client_gone)
        reader = Reader(stdin)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, 0)
        writer.start()
        reader.start()
        self.protocol.attach(writer)
        receiving = asyncio.create_task(self._receive(reader))
        code = await self._exit
        self._end_at_last(code)
        receiving.cancel()
        await self._clean_up()
        writer.close(_LAST_WORDS)
        return code

    def _end_at_last(self, code: int) -> None:
        last_resort = threading.Timer(_EXIT_PATIENCE, os._exit, [code])
        last_resort.daemon = True
        last_resort.start()

    async def _receive(self, reader: Reader) -> None:
        async for item in reader:
            self.protocol.receive(item)
            await asyncio.sleep(0)  # so the handler just started sees the document as it is now
        self._client_gone()

    async def _clean_up(self) -> None:
        if self._editor is not None:
            self._editor.cancel()
        self.ahead.stop()
        self.context.close()
        for uri in list(self._sessions):
            self.on_close(uri)
        await self.protocol.cancel_all()
        await self.connection.close()
        await self.chat_connection.close()
        await asyncio.to_thread(self.acceptance.close, _LAST_WORDS)


def create_server(settings: Settings) -> Server:
    """Return a server that has not begun to serve."""
    # pygls logs whole messages, and so the user's code, at levels below this.
    logging.getLogger("pygls").setLevel(logging.WARNING)
    return Server(settings)


def run(settings: Settings) -> int:
    """
    Serve one client on standard input and output and return the exit code.

    That is 0 after `shutdown` and on SIGTERM, else 1. Nothing else can write to the client: what
    is printed goes to standard error.
    """
    stdin, stdout = os.dup(sys.stdin.fileno()), os.dup(sys.stdout.fileno())
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with logging_in_background():
        return asyncio.run(create_server(settings).serve(stdin, stdout))
