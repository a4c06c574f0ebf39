"""
JSON-RPC and LSP's life cycle over pygls, with the gaps that were measured in pygls 2.1 closed.

pygls keeps the registry of features, builds the capabilities and sends; what comes in is handled
here, since there each of these goes wrong:

* Every request is answered exactly once: bad params with -32602 (but `initialize` is taken without
  its bad parts), bad JSON with -32700, what is no JSON-RPC with -32600, and a result that cannot be
  written as JSON with -32603. Only the message itself is looked at, never an object inside it.
* Before `initialize` a request gets -32002, a second one -32600, so does anything after
  `shutdown`; `exit` without it is exit code 1.
* A request is a task and `$/cancelRequest` cancels it, commands included; that answers -32800.
* An error carries a message for people, never a traceback, a path or code, and a response to a
  request that we gave up is let pass.

A message is handled when the tasks of the messages before it have come to their first `await`: so
a handler that looks at a document before it awaits anything sees the text that its position means.
"""

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol

from opencoder_lsp.errors import describe
from opencoder_lsp.lsp.conversion import structured
from opencoder_lsp.lsp.failures import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_INITIALIZED,
    PARSE_ERROR,
    REQUEST_CANCELLED,
    translated,
)
from opencoder_lsp.lsp.framing import Malformed, TooLarge, frame
from opencoder_lsp.lsp.notebooks import OPTIONS
from opencoder_lsp.lsp.stdio import Writer

if TYPE_CHECKING:
    from cattrs import Converter

    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

Id = int | str
Handler = Callable[[Any], Any]

_CANCEL_PATIENCE = 0.4  # seconds for a cancelled handler to clean up


class Phase(enum.Enum):
    """Where the session with the client is."""

    NEW = enum.auto()
    OPEN = enum.auto()
    SHUT = enum.auto()


class Protocol(LanguageServerProtocol):
    """The session with one client. Everything here runs on the event loop."""

    _server: "Server"

    def __init__(self, server: "Server", converter: "Converter") -> None:
        super().__init__(server, converter)
        self.phase = Phase.NEW
        self._running: dict[Id, asyncio.Task[Any]] = {}
        self._background = set[asyncio.Task[Any]]()
        self._out: Writer | None = None

    def _register_builtin_features(self) -> None:
        """Register only what is ours: pygls' own keep a second, wrong workspace."""
        builtin: dict[str, Handler] = {
            types.INITIALIZE: self._initialize,
            types.SHUTDOWN: self._shut_down,
            types.WORKSPACE_EXECUTE_COMMAND: self._execute_command,
        }
        for method, handler in builtin.items():
            self.fm.add_builtin_feature(method, handler)

    def attach(self, writer: Writer) -> None:
        """Send to `writer` from now on."""
        self._out = writer

    # What comes in.

    def receive(self, item: Any) -> None:
        """Handle one JSON value from the client, or the report of bytes that were none."""
        try:
            self._receive(item)
        except Exception as error:  # boundary: a mistake of ours must not make the server deaf
            log.error("a message could not be handled: %s", describe(error))
            if isinstance(item, dict) and "method" in item and "id" in item:
                self._refuse(_id_of(item), INTERNAL_ERROR, "the server failed; see its log")

    def _receive(self, item: Any) -> None:
        if isinstance(item, Malformed):
            log.warning("from the client: %s", item.reason)
            if isinstance(item, TooLarge):
                self._server.on_too_large(item.opens)
            self._refuse(None, PARSE_ERROR, item.reason)
        elif not isinstance(item, dict) or item.get("jsonrpc") != "2.0":
            self._refuse(None, INVALID_REQUEST, "not a JSON-RPC 2.0 message")
        elif "method" not in item:
            self._response(item)
        elif not isinstance(item["method"], str):
            self._refuse(_id_of(item), INVALID_REQUEST, "method must be a string")
        elif "id" not in item:
            self._notification(item["method"], item.get("params"))
        elif (request_id := _id_of(item)) is None:
            self._refuse(None, INVALID_REQUEST, "id must be a string or an integer")
        else:
            self._request(request_id, item["method"], item.get("params"))

    def _request(self, request_id: Id, method: str, params: Any) -> None:
        if refusal := self._out_of_order(request_id, method):
            self._refuse(request_id, *refusal)
            return
        handler = self._handler_of(method)
        if handler is None:
            self._refuse(request_id, METHOD_NOT_FOUND, f"no such method: {method[:100]}")
            return
        try:
            arguments = structured(self._converter, method, params)
        except Exception:  # boundary: cattrs raises whatever its validators do
            self._refuse(request_id, INVALID_PARAMS, f"bad params for {method[:100]}")
            return
        if method == types.INITIALIZE:
            self.phase = Phase.OPEN
        elif method == types.SHUTDOWN:
            self.phase = Phase.SHUT
        task = asyncio.ensure_future(_awaited(handler, arguments))
        self._running[request_id] = task
        task.add_done_callback(partial(self._finished, request_id, method))

    def _out_of_order(self, request_id: Id, method: str) -> tuple[int, str] | None:
        """Return code and message for a request that may not come now."""
        if self.phase is Phase.SHUT:
            return INVALID_REQUEST, "the server is shut down"
        if self.phase is Phase.NEW and method != types.INITIALIZE:
            return NOT_INITIALIZED, "the server is not initialized"
        if self.phase is Phase.OPEN and method == types.INITIALIZE:
            return INVALID_REQUEST, "the server is initialized already"
        if request_id in self._running:
            return INVALID_REQUEST, "a request with this id is under way"
        return None

    def _notification(self, method: str, params: Any) -> None:
        if method == types.EXIT:
            self._server.stop(0 if self.phase is Phase.SHUT else 1)
        if self.phase is not Phase.OPEN:
            return
        if method == types.CANCEL_REQUEST:
            self._cancel(params)
            return
        # What is built in are requests: nothing is initialized, say, without an id to answer to.
        handler = self.fm.features.get(method)
        if handler is None:
            if not method.startswith("$/"):
                log.debug("a notification of an unknown method was ignored")
            return
        try:
            result = handler(structured(self._converter, method, params))
        except Exception as error:  # boundary: nothing in one notification may end the session
            log.error("%s failed: %s", method, describe(error))
            if method == types.TEXT_DOCUMENT_DID_CHANGE:
                self._server.documents.lose(params)
            elif method == types.NOTEBOOK_DOCUMENT_DID_CHANGE:
                self._server.notebooks.lose(params)
            return
        if isinstance(result, Coroutine):
            self.run_in_background(result)

    def _cancel(self, params: Any) -> None:
        request_id = _id_of(params) if isinstance(params, dict) else None
        task = self._running.get(request_id) if request_id is not None else None
        if task is not None:
            task.cancel()

    def _response(self, item: dict[str, Any]) -> None:
        key = cast(Any, _id_of(item))
        future = self._request_futures.pop(key, None)
        response_type = self._result_types.pop(key, None)
        if future is None or not future.set_running_or_notify_cancel():
            log.debug("a response to a request that is not under way was ignored")
            return
        error = item.get("error")
        if error is not None:
            message = error.get("message") if isinstance(error, dict) else None
            future.set_exception(JsonRpcException(str(message or "the client refused")))
            return
        result = item.get("result")
        try:
            if response_type is not None:
                response = {"jsonrpc": "2.0", "id": key, "result": result}
                result = self._converter.structure(response, response_type).result
        except Exception as problem:  # boundary: cattrs, on whatever the client sent
            future.set_exception(JsonRpcException(f"a bad response: {describe(problem)}"))
        else:
            future.set_result(result)

    def _handler_of(self, method: str) -> Handler | None:
        builtin = self.fm.builtin_features.get(method)
        return cast(Handler | None, builtin or self.fm.features.get(method))

    # What goes out.

    def _finished(self, request_id: Id, method: str, task: asyncio.Task[Any]) -> None:
        self._running.pop(request_id, None)
        if task.cancelled():
            self._refuse(request_id, REQUEST_CANCELLED, "cancelled")
        elif (error := task.exception()) is not None:
            self._refuse(request_id, *translated(error, method))
        else:
            self._answer(request_id, method, task.result())

    def _answer(self, request_id: Id, method: str, result: Any) -> None:
        try:
            self._send_data({"jsonrpc": "2.0", "id": request_id, "result": result})
        except Exception as error:  # boundary: a result that is no JSON still needs an answer
            self._refuse(request_id, *translated(error, method))

    def _refuse(self, request_id: Id | None, code: int, message: str) -> None:
        error = {"code": code, "message": message}
        self._send_data({"jsonrpc": "2.0", "id": request_id, "error": error})

    def _send_data(self, data: Any) -> None:
        if self._out is not None:
            self._out.write(frame(self._converter.unstructure(data)))

    # Work.

    def run_in_background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run what no request waits for, until the session ends; a failure is logged."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background_done)
        return task

    def _background_done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work in the background failed: %s", describe(error))

    async def cancel_all(self) -> None:
        """Cancel every request and all work in the background; those requests are answered so."""
        own = asyncio.current_task()
        tasks = {*self._running.values(), *self._background} - {own}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_PATIENCE)

    # Methods of LSP that every server has.

    async def _initialize(self, params: types.InitializeParams) -> types.InitializeResult:
        self.client_capabilities = params.capabilities
        encoding = ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities)
        self._server.on_initialize(params, types.PositionEncodingKind(encoding).value)
        capabilities = ServerCapabilitiesBuilder(
            params.capabilities,
            {*self.fm.features, *self.fm.builtin_features},
            self.fm.feature_options,
            list(self.fm.commands),
            types.TextDocumentSyncKind.Incremental,
            OPTIONS,
            encoding,
        ).build()  # type: ignore[no-untyped-call]
        self.server_capabilities = self._server.completed(capabilities)
        return types.InitializeResult(self.server_capabilities, self.server_info)

    async def _shut_down(self, params: Any) -> None:
        await self.cancel_all()

    async def _execute_command(self, params: types.ExecuteCommandParams) -> Any:
        command = self.fm.commands.get(params.command)
        if command is None:
            raise JsonRpcException(f"no such command: {params.command[:100]}", INVALID_PARAMS)
        return await command(params)


async def _awaited(handler: Handler, params: Any) -> Any:
    result = handler(params)
    return await result if isinstance(result, Awaitable) else result


def _id_of(item: dict[str, Any]) -> Id | None:
    value = item.get("id")
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None
