"""A lease on an engine: an open `GET /events`, which keeps it alive and tells how it is."""

import asyncio
import time
from collections.abc import Callable

from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.client.http import StalledError
from opencoder_lsp.errors import EngineError, EngineUnavailableError

Tell = Callable[[Health], None]


class Lease:
    """
    Follows an engine's health in the background until `close` or until the engine goes.

    `tell` is called with each health, and `gone` when an engine has gone that had said one. When it
    stands still, every request on `client` is ended. Make one with `Lease.open`.
    """

    def __init__(self, client: EngineClient, tell: Tell, gone: Callable[[], None]) -> None:
        self.client = client
        self.health: Health | None = None
        self.over = False
        self.ended_at = 0.0  # time.monotonic() of the end
        self.error: EngineError | None = None
        self._tell = tell
        self._gone = gone
        self._change = asyncio.Event()
        self._task = asyncio.create_task(self._follow())

    @classmethod
    async def open(
        cls,
        client: EngineClient,
        tell: Tell,
        patience: float,
        gone: Callable[[], None] = lambda: None,
    ) -> "Lease":
        """
        Open a lease and wait for the first word of the engine, at most `patience` seconds.

        Raises EngineUnavailableError where nothing answers, and what `EngineClient.events` raises.
        """
        lease = cls(client, tell, gone)
        try:
            async with asyncio.timeout(patience):
                while lease.health is None and not lease.over:
                    await lease._change.wait()
        except TimeoutError:
            await lease.close()
            raise EngineError(f"the engine has said nothing for {patience:g} s") from None
        except BaseException:
            await lease.close()
            raise
        if lease.health is None:
            raise lease.error or EngineUnavailableError("the engine went before it said anything")
        return lease

    async def settled(self) -> Health:
        """
        Wait until the engine has loaded its model, failed to, or gone; return its last health.

        It has gone if `over` is true afterwards.
        """
        while not self.over and (
            self.health is None or self.health.state in ("loading", "draining")
        ):
            await self._change.wait()
        assert self.health is not None
        return self.health

    @property
    def is_ready(self) -> bool:
        """Whether the engine is there and takes requests, as far as it has said."""
        return not self.over and self.health is not None and self.health.state == "ready"

    @property
    def left_orderly(self) -> bool:
        """Whether the engine said that it was going, before it went."""
        return self.health is not None and self.health.state == "draining"

    @property
    def stalled(self) -> bool:
        """Whether it is over because the engine, which may live, has said nothing for too long."""
        return self.health is not None and isinstance(self.error, StalledError)

    async def close(self) -> None:
        """Give the lease back."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _follow(self) -> None:
        try:
            async with self.client.events() as healths:
                async for health in healths:
                    self.health = health
                    self._note()
                    self._tell(health)
        except EngineError as error:
            self.error = error
            if self.stalled:  # what else waits on this client may have longer patience
                await self.client.close(str(error))
        finally:
            self.over = True
            self.ended_at = time.monotonic()
            self._note()
        if self.health is not None:
            self._gone()

    def _note(self) -> None:
        self._change.set()
        self._change = asyncio.Event()
