"""Work-done progress: a line in the editor that says what takes so long."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp.client.connection import Status

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

Token = types.ProgressToken


class WorkDone:
    """One work-done progress; without a token it says nothing."""

    def __init__(self, ls: "Server", token: Token | None) -> None:
        self._ls = ls
        self._token = token
        self._percent = 0

    def begin(self, title: str, *, percent: int | None = None, cancellable: bool = False) -> None:
        """Show the line; `percent` is None where it is not known how much there is to do."""
        self._send(
            types.WorkDoneProgressBegin(title=title, percentage=percent, cancellable=cancellable)
        )

    def report(self, message: str, percent: int | None = None) -> None:
        """Change the line; a percentage never goes back."""
        if percent is not None:
            self._percent = percent = max(percent, self._percent)
        self._send(types.WorkDoneProgressReport(message=message, percentage=percent))

    def end(self, message: str | None = None) -> None:
        """Take the line away."""
        self._send(types.WorkDoneProgressEnd(message=message))

    def _send(self, value: object) -> None:
        if self._token is not None:
            self._ls.protocol.notify(types.PROGRESS, types.ProgressParams(self._token, value))


@asynccontextmanager
async def work_done(
    ls: "Server",
    title: str,
    *,
    token: Token | None = None,
    percent: int | None = None,
    cancellable: bool = False,
) -> AsyncIterator[WorkDone]:
    """
    Show a line while the block runs: on the client's `token`, or on one made here.

    Shows nothing where the client has no such thing. A line that is `cancellable` cancels the task
    that runs the block.
    """
    if token is None:
        token = await _created(ls)
    line = WorkDone(ls, token)
    task = asyncio.current_task()
    if token is not None and cancellable and task is not None:
        ls.cancellable[token] = task
    line.begin(title, percent=percent, cancellable=cancellable)
    try:
        yield line
    finally:
        if token is not None:
            ls.cancellable.pop(token, None)
        line.end()


async def _created(ls: "Server") -> Token | None:
    window = ls.client_capabilities.window
    if window is None or not window.work_done_progress:
        return None
    token = str(uuid.uuid4())
    params = types.WorkDoneProgressCreateParams(token)
    try:
        await ls.window_work_done_progress_create_async(params)
    except JsonRpcException:
        log.info("the client refused a progress")
        return None
    return token


class LoadingProgress:
    """The line that shows the loading of the model, fed with each status of the connection."""

    def __init__(self, ls: "Server") -> None:
        self._ls = ls
        self._status: Status | None = None
        self._change = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def update(self, status: Status) -> None:
        """Show, change or end the line; nothing is shown for an engine that is there already."""
        self._status = status
        self._change.set()
        if status.percent is not None and (self._task is None or self._task.done()):
            self._task = self._ls.protocol.run_in_background(self._show())

    async def _show(self) -> None:
        async with work_done(self._ls, "OpenCoder", percent=0) as line:
            while (status := self._status) is not None and status.kind == "loading":
                line.report(status.message, status.percent)
                self._change.clear()
                await self._change.wait()


async def cancel_progress(ls: "Server", params: types.WorkDoneProgressCancelParams) -> None:
    """Answer the user's wish to cancel what a line stands for."""
    task = ls.cancellable.get(params.token)
    if task is not None:
        task.cancel()
