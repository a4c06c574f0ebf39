"""How the server is: for `/health`, for those that follow `/events`, for who started it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from opencoder_lsp.client.connection import GONE, Status
from opencoder_lsp.client.engine import Health
from opencoder_lsp.client.roles import connections
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.serving.messages import KEEP_ALIVE, sse
from opencoder_lsp.settings import Settings

_KEEP_ALIVE_SECONDS = 15.0


class State:
    """
    The server's connection to the engine, which it keeps alive, and its own end; `completions` is
    another one where texts are completed elsewhere.

    `tell` hears each new status, `warn` what is odd about an engine that others have started.
    """

    def __init__(
        self, settings: Settings, tell: Callable[[Status], None], warn: Callable[[str], None]
    ) -> None:
        self.settings = settings
        roles = connections(settings, self._changed, warn, main="chat")
        self.connection, self.completions = roles["chat"], roles["completion"]
        self.draining = False
        self._tell = tell
        self._change = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None

    def connect(self) -> None:
        """Connect to the engine in the background, starting it if need be."""
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())

    def drain(self) -> None:
        """Say that the server ends."""
        self.draining = True
        self._note()

    async def close(self) -> None:
        """Let the engine go."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        await self.connection.close()
        await self.completions.close()

    @property
    def kind(self) -> str:
        """Loading, ready, error or draining."""
        return "draining" if self.draining else self.connection.status.kind

    def as_json(self) -> dict[str, Any]:
        """Return what fronts elsewhere want to know, in the form of the engine's own health."""
        status, health = self.connection.status, self.connection.health or Health(state="loading")
        model = self.connection.model
        shown = replace(
            health,
            state=self.kind,  # type: ignore[arg-type]
            progress=1.0 if status.kind == "ready" else health.progress,
            cause=status.message if status.kind == "error" else None,
            model=model.name if model else "",
            folder="",  # a path is nobody else's business
            pid=0,
            settings={},
        )
        return asdict(shown)

    async def events(self) -> AsyncGenerator[bytes]:
        """Yield the state, and again at each change, until the server ends."""
        if self.kind == "error":
            self.connect()
        while True:
            change = self._change
            yield sse(self.as_json())
            if self.draining:
                return
            while not change.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                        await change.wait()
                    break
                yield KEEP_ALIVE

    async def _connect(self) -> None:
        for connection in dict.fromkeys((self.connection, self.completions)):
            with suppress(OpencoderError):  # the status says it, or who asks for a text is told
                await connection.engine()

    def _changed(self, status: Status) -> None:
        self._note()
        self._tell(status)
        if status.message == GONE and not self.draining:
            self.connect()

    def _note(self) -> None:
        self._change.set()
        self._change = asyncio.Event()
