"""A lease on an engine: an open `GET /events`, which keeps it alive and tells how it is."""

import asyncio
import time
from collections.abc import Callable

from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.errors import EngineError, EngineUnavailableError


class Lease:
    """
    Follows an engine's health in the background until `close` or until the engine goes.

    `tell` is called with each health. Make one with `Lease.open`.
    """

    def __init__(self, client: EngineClient, tell: Callable[[Health], None]) -> None:
        self.client = client
        self.health: Health | None = None
        self.over = False
        self.ended_at = 0.0  # time.monotonic() of the end
        self.error: EngineError | None = None
        self._tell = tell
        self._change = asyncio.Event()
        self._task = asyncio.create_task(self._follow())

    @classmethod
    async def open(
        cls, client: EngineClient, tell: Callable[[Health], None], patience: float
    ) -> "Lease":
        """
        Open a lease and wait for the first word of the engine, at most `patience` seconds.

        Raises EngineUnavailableError where nothing answers, and what `EngineClient.events` raises.
        """
        lease = cls(client, tell)
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
    def left_orderly(self) -> bool:
        """Whether the engine said that it was going, before it went."""
        return self.health is not None and self.health.state == "draining"

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
        finally:
            self.over = True
            self.ended_at = time.monotonic()
            self._note()

    def _note(self) -> None:
        self._change.set()
        self._change = asyncio.Event()
