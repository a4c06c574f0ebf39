"""
The way to the engine for a front: the one at `engine.url`, the one that runs, or a new one.

The engine is shared by all fronts of a user and outlives the one that started it. A front holds a
lease on it; when the lease breaks, the engine has gone, and the next `client` starts another.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from opencoder_lsp.client.child import engine_command
from opencoder_lsp.client.crashes import CRASHES, Crashes
from opencoder_lsp.client.elsewhere import remote_client
from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.client.http import without_password
from opencoder_lsp.client.lease import Lease
from opencoder_lsp.client.log_file import log_path
from opencoder_lsp.client.process import (
    EngineProcess,
    running_engine,
    running_engines,
    socket_path,
    stop_engine,
)
from opencoder_lsp.client.sharing import check_memory, differences
from opencoder_lsp.client.starter import CrashedError, Patience, Starter
from opencoder_lsp.errors import EngineError, EngineUnavailableError
from opencoder_lsp.models import registry
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings
from opencoder_lsp.settings_descriptions import env_name

__all__ = [
    "EngineProcess",
    "Launcher",
    "running_engine",
    "running_engines",
    "socket_path",
    "stop_engine",
]

log = logging.getLogger(__name__)

OnHealth = Callable[[Health], None]
Command = Callable[[Settings, Model, Path], list[str]]


class Launcher:
    """
    Finds or starts the engine, and keeps it. Belongs to one event loop.

    `warn` is told each time that this machine's engine turns out to run with other settings than
    ours. `command` makes the command line of a new engine; `backoff` is the wait in seconds after
    its first crash. `on_change` is called with each health of the engine, and with None when it
    has gone.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        warn: Callable[[str], None] = log.warning,
        command: Command = engine_command,
        patience: Patience | None = None,
        backoff: float = 1.0,
    ) -> None:
        self._settings = settings
        self._warn = warn
        self._command = command
        self._patience = patience or Patience()
        self._crashes = Crashes(backoff)
        self._broken = 0  # process id of the last engine that could not load its model
        self._model: Model | None = None
        self._client: EngineClient | None = None
        self._lease: Lease | None = None  # None with a client: a server that has no leases
        self._attaching: asyncio.Task[EngineClient] | None = None
        self._listeners: list[OnHealth] = []
        self.health: Health | None = None  # what the engine said last
        self.on_change: Callable[[Health | None], None] = lambda health: None

    def model(self) -> Model:
        """Return the model that runs or is to run; raises ModelError, naming the cure."""
        if self._model is None:
            self._model = registry.resolve(self._settings)
        return self._model

    async def client(self, on_health: OnHealth | None = None) -> EngineClient:
        """
        Return a client of an engine that is ready, starting one and waiting for it if need be.

        `on_health` is called with each health until then. Cancelling this does not stop the
        start, which others may wait for. Raises EngineUnavailableError, saying why, and ModelError.
        """
        if self._client is not None and await self._is_well():
            return self._client
        if self._attaching is None:
            self.health = None
            self._attaching = asyncio.create_task(self._attach())
            self._attaching.add_done_callback(self._attached)
        task = self._attaching
        if on_health is not None:
            self._listeners.append(on_health)
            if self.health is not None:
                on_health(self.health)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise EngineUnavailableError("stopped waiting for the engine") from None
            raise
        finally:
            if on_health is not None:
                self._listeners.remove(on_health)

    async def restart(self) -> None:
        """
        End this machine's engine, if it runs, and forget its crashes; `client` starts a new one.

        An engine elsewhere is only connected to anew.
        """
        await self.stop()
        self._crashes.forget()
        self._model = None
        if not self._settings.engine.url:
            engine = running_engine(socket_path(await asyncio.to_thread(self.model)))
            if engine is not None:
                await asyncio.to_thread(stop_engine, engine)

    async def stop(self) -> None:
        """Give up the lease and close the client. The engine lives on."""
        if self._attaching is not None:
            self._attaching.cancel()
            await asyncio.wait({self._attaching})
        await self._let_go()

    # Being attached.

    async def _is_well(self) -> bool:
        assert self._client is not None
        if self._lease is not None and not self._lease.is_ready:
            return False
        if self._client.suspect:  # the lease may not have noticed yet
            try:
                async with asyncio.timeout(self._patience.word):
                    await self._client.health()
            except (EngineError, TimeoutError):
                return False
        return self._lease is None or self._lease.is_ready

    async def _let_go(self) -> None:
        client, lease = self._client, self._lease
        self._client = self._lease = self.health = None
        try:
            if lease is not None:
                await lease.close()
        finally:  # also where we are stopped meanwhile
            if client is not None:
                await client.close()

    def _tell(self, health: Health) -> None:
        self.health = health
        self.on_change(health)
        for listener in list(self._listeners):
            listener(health)

    def _gone(self) -> None:
        self.health = None
        self.on_change(None)

    # Attaching.

    def _attached(self, task: asyncio.Task[EngineClient]) -> None:
        self._attaching = None
        if not task.cancelled():
            task.exception()  # seen, even if everybody who waited has left

    async def _attach(self) -> EngineClient:
        lost = self._lease
        await self._let_go()
        url = self._settings.engine.url
        lease = await (self._attach_to(url) if url else self._attach_here(lost))
        if lease is not None:
            self._lease, self._client = lease, lease.client
        assert self._client is not None
        return self._client

    async def _attach_to(self, url: str) -> Lease | None:
        """Attach to the engine at `url`; None for a server that has no leases."""
        # In a thread, since the system's keyring may ask the user for its password first.
        client = await asyncio.to_thread(remote_client, url, self._settings)
        try:
            lease = await self._open_lease(client)
        except BaseException as error:
            await client.close()
            if isinstance(error, EngineUnavailableError):
                cure = f"start an engine there, or change engine.url ({env_name('engine.url')})"
                raise EngineUnavailableError(f"{error}; {cure}") from error
            raise
        if lease is None:
            self._client = client
            return None
        return await self._ready(lease, f"the engine at {without_password(url)}")

    async def _open_lease(self, client: EngineClient) -> Lease | None:
        try:
            return await Lease.open(client, self._tell, self._patience.word, self._gone)
        except EngineUnavailableError:
            raise
        except EngineError:  # no such route: perhaps a server of another maker
            self._tell(await client.health())
            return None

    async def _attach_here(self, lost: Lease | None) -> Lease:
        """Attach to this machine's engine, starting it if need be; `lost` is the lease before."""
        model = await asyncio.to_thread(self.model)
        socket = socket_path(model)
        if lost is not None:
            self._note_lost(lost, running_engine(socket))
        silent = lost.health.pid if lost is not None and lost.stalled and lost.health else 0
        starter = Starter(
            socket,
            lambda: self._new_command(model, socket),
            self._tell,
            self._patience,
            self._gone,
        )
        find = self._find_restarted if self._crashes.given_up else self._find_or_start
        lease = await find(starter, silent, log_path(socket))
        assert lease.health is not None
        if warning := differences(self._settings.engine, lease.health):
            self._warn(warning)
        return lease

    async def _find_or_start(self, starter: Starter, silent: int, log_file: Path) -> Lease:
        await asyncio.sleep(self._crashes.wait())
        try:
            while True:
                lease = await starter.attach(silent)
                with contextlib.suppress(_LeftOrderlyError):
                    return await self._ready(lease, "the engine", log_file)
        except CrashedError as error:
            self._crashes.note(str(error))
            raise

    async def _find_restarted(self, starter: Starter, _silent: int, log_file: Path) -> Lease:
        """Attach to an engine that another front has started again, since we do not."""
        with contextlib.suppress(EngineUnavailableError):
            if lease := await starter.find():
                return await self._ready(lease, "the engine", log_file)
        raise EngineUnavailableError(
            f"the engine has failed {CRASHES} times within a minute and is not started again "
            f"until you restart it; the last time: {self._crashes.reason}; its log is {log_file}"
        )

    def _new_command(self, model: Model, socket: Path) -> list[str]:
        check_memory(self._settings, model, socket)
        return self._command(self._settings, model, socket)

    async def _ready(self, lease: Lease, what: str, log_file: Path | None = None) -> Lease:
        """Wait until the engine is ready; gives the lease back where it does not get there."""
        try:
            health = await lease.settled()
            if lease.left_orderly:
                raise _LeftOrderlyError(f"{what} has just been stopped")
            where = f"; its log is {log_file}" if log_file else ""
            if lease.stalled:
                raise EngineUnavailableError(f"{what} stands still while it loads the model{where}")
            if lease.over:
                raise CrashedError(f"{what} ended while it loaded the model{where}")
            if health.state == "error":
                self._note_broken(health)
                raise EngineUnavailableError(health.cause or f"{what} has failed{where}")
            return lease
        except BaseException:
            await lease.close()
            await lease.client.close()
            raise

    def _note_lost(self, lost: Lease, running: EngineProcess | None) -> None:
        """Count an engine that ended and was not asked to."""
        assert lost.health is not None
        if lost.left_orderly or (running is not None and running.pid == lost.health.pid):
            return
        at = lost.ended_at if lost.over else None
        self._crashes.note(lost.health.cause or "it ended while it was in use", at)

    def _note_broken(self, health: Health) -> None:
        """Count an engine that cannot load its model: once, however often it is asked."""
        if health.pid != self._broken:
            self._broken = health.pid
            self._crashes.note(health.cause or "it could not load its model")


class _LeftOrderlyError(EngineUnavailableError):
    """The engine that we found was about to end."""
