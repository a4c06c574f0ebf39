"""Our side of `transformers_process`: JSON lines in and out of its pipes."""

import asyncio
import itertools
import json
import subprocess
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from opencoder_lsp.bench.target import Timing
from opencoder_lsp.errors import EngineError

_PATIENCE = 60.0  # seconds for it to end by itself
_ENDED = "the transformers process ended; see its log"


class Pipe:
    """A process that generates; see `opencoder_lsp.bench.target.Target`."""

    def __init__(
        self, name: str, process: "subprocess.Popen[bytes]", concurrent: bool, reuses: bool
    ) -> None:
        """The process writes {"ready": true} when it has loaded its model."""
        self.name = name
        self.concurrent = concurrent
        self.reuses = reuses
        self._process = process
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Queue[dict[str, Any]]] = {0: asyncio.Queue()}
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._reader = threading.Thread(target=self._read, daemon=True)

    async def __aenter__(self) -> Self:
        self._reader.start()
        await self._event(0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let it read to the end of its input, upon which it ends."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already, and not read all it was sent
            self._process.stdin.close()
        await asyncio.to_thread(self._reader.join, _PATIENCE)

    async def ask(self, prompt: list[int], tokens: int, *, leave: bool = False) -> Timing:
        """See `Target.ask`; `generate` itself cannot be left, so it goes on to the end."""
        number = next(self._numbers)
        self._answers[number] = asyncio.Queue()
        began = time.perf_counter()
        try:
            self._send({"id": number, "prompt": prompt, "tokens": tokens})
            await self._event(number)
            first = time.perf_counter() - began
            if leave:
                self._send({"leave": number})
                return Timing(first, first, 1)
            made = (await self._event(number))["tokens"]
            total = time.perf_counter() - began
        finally:
            del self._answers[number]
        if made != tokens:
            raise EngineError(f"{self.name} made {made} tokens instead of {tokens}")
        return Timing(first, total, made)

    async def _event(self, number: int) -> dict[str, Any]:
        event = await self._answers[number].get()
        if "error" in event:
            raise EngineError(event["error"])
        return event

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        if self._ended:  # which the pipe may not know yet
            raise EngineError(_ENDED)
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise EngineError(_ENDED) from None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            self._loop.call_soon_threadsafe(self._deliver, event.get("id", 0), event)
        self._loop.call_soon_threadsafe(self._fail_all)

    def _deliver(self, number: int, event: dict[str, Any]) -> None:
        if number in self._answers:  # else it was left
            self._answers[number].put_nowait(event)

    def _fail_all(self) -> None:
        self._ended = True
        for answers in self._answers.values():
            answers.put_nowait({"error": _ENDED})
