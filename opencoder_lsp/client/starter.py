"""Finding the engine of a socket, or starting it: one for all fronts, however many ask at once."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opencoder_lsp.client.child import Child
from opencoder_lsp.client.engine import EngineClient
from opencoder_lsp.client.lease import Lease, Tell
from opencoder_lsp.client.log_file import log_path, trim
from opencoder_lsp.client.process import StartLock, check_owner, running_engine, stop_engine
from opencoder_lsp.errors import EngineError, EngineUnavailableError
from opencoder_lsp.paths import lock_path

log = logging.getLogger(__name__)

# Exit codes of the engine: another one holds its lock, and it cannot write that.
LOCK_TAKEN, LOCK_UNWRITABLE = 3, 4
HUNG_PATIENCE = 2.0  # seconds from SIGTERM to SIGKILL for an engine that says nothing
SHORTEST, LONGEST = 0.01, 0.2  # seconds between two looks at a socket that does not answer yet


@dataclass(frozen=True)
class Patience:
    """Seconds to wait: for a word of an engine that accepts us, and for a started one to answer."""

    word: float = 15.0
    start: float = 60.0


class CrashedError(EngineUnavailableError):
    """The engine ended while it started."""


class Starter:
    """
    Attaches to the engine at `socket`, and starts it where none answers.

    `command` makes the command line for that, in a thread; it raises EngineUnavailableError where
    none can be started. `tell` and `gone` hear what `Lease` says of the engine.
    """

    def __init__(
        self,
        socket: Path,
        command: Callable[[], list[str]],
        tell: Tell,
        patience: Patience,
        gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._socket = socket
        self._command = command
        self._tell = tell
        self._gone = gone
        self._patience = patience

    async def attach(self, silent: int = 0) -> Lease:
        """
        Return a lease on the engine, which may still be loading.

        `silent` is the process id of an engine that has said nothing for long already: it is given
        only one more chance. Raises CrashedError where the engine that we started ended instead of
        answering, and what `command` raises.
        """
        await asyncio.to_thread(trim, log_path(self._socket))
        lock, pause = StartLock(self._socket), SHORTEST
        while True:
            if lease := await self.find():
                return lease
            with lock.held() as ours:
                if ours:
                    return await self._find_or_start(silent)
            # Another front is starting the engine. Nothing announces when it has, so look again.
            await asyncio.sleep(pause)
            pause = min(LONGEST, pause * 2)

    async def find(self) -> Lease | None:
        """Attach to an engine that answers; None where none does, or only accepts connections."""
        check_owner(self._socket)
        client = EngineClient(f"unix:{self._socket}")
        try:
            return await Lease.open(client, self._tell, self._patience.word, self._gone)
        except EngineUnavailableError:
            await client.close()
        except EngineError as error:
            log.warning("the engine at %s is not well: %s", self._socket, type(error).__name__)
            await client.close()
        except BaseException:
            await client.close()
            raise
        return None

    async def _find_or_start(self, silent: int) -> Lease:
        """Do what only the holder of the start lock may."""
        if lease := await self._find_in_time(silent):
            return lease
        child = await self._start()
        end, pause = time.monotonic() + self._patience.start, SHORTEST
        while time.monotonic() < end:
            if lease := await self.find():
                return lease
            if child.exited.done():
                if child.exited.result() != LOCK_TAKEN:
                    raise self._crashed(child)
                child = await self._start()  # somebody had the engine's lock for an instant
            await asyncio.wait({child.exited}, timeout=pause)
            pause = min(LONGEST, pause * 2)
        child.terminate()
        raise CrashedError(
            f"the engine did not answer within {self._patience.start:g} s; its log is "
            f"{child.log_file}"
        )

    async def _find_in_time(self, silent: int) -> Lease | None:
        """
        Attach to the engine that holds the engine's lock, if one does.

        One that does not answer in time (it hangs; one that is going has gone by then) is ended.
        """
        end, pause = time.monotonic() + self._patience.word, SHORTEST
        while True:
            engine = running_engine(self._socket)
            hangs = engine is not None and engine.pid == silent
            if not hangs and (lease := await self.find()):
                return lease
            engine = running_engine(self._socket)
            if engine is None:
                return None
            if hangs or time.monotonic() > end:
                log.warning("ending the engine (process %d), which does not answer", engine.pid)
                await asyncio.to_thread(stop_engine, engine, HUNG_PATIENCE)
                return None
            await asyncio.sleep(pause)
            pause = min(LONGEST, pause * 2)

    async def _start(self) -> Child:
        child = Child(await asyncio.to_thread(self._command), log_path(self._socket))
        log.info("started the engine: process %d, log %s", child.pid, child.log_file)
        return child

    def _crashed(self, child: Child) -> CrashedError:
        code = child.exited.result()
        if code == LOCK_UNWRITABLE:
            return CrashedError(
                f"the engine cannot write {lock_path(self._socket)}, so it does not start; is the "
                "disk full?"
            )
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        said = child.last_words()
        return CrashedError(
            f"the engine ended while it started ({how}){f': {said}' if said else ''}; its log is "
            f"{child.log_file}"
        )
