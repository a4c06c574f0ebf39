"""Processes for one measurement: an engine on a socket of its own, and the memory's speed."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from prometheus_client.parser import text_string_to_metric_families

from opencoder_lsp.bench.target import PATIENT, Server
from opencoder_lsp.client.child import engine_command
from opencoder_lsp.client.engine import EngineClient, Health
from opencoder_lsp.client.http import Http
from opencoder_lsp.client.launcher import running_engine, stop_engine
from opencoder_lsp.client.lease import Lease, Tell
from opencoder_lsp.client.log_file import log_path
from opencoder_lsp.client.starter import Patience, Starter
from opencoder_lsp.errors import EngineError
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings

_PREFIX = "opencoder_engine_"


class FreshEngine:
    """
    An engine of `model` that nobody else uses, ready to be asked, for an `async with` block.

    It shares neither socket nor process with the engine that editors use. Entering raises
    EngineError, naming the log, where it does not get ready.
    """

    server: Server
    health: Health

    def __init__(
        self,
        name: str,
        settings: Settings,
        model: Model,
        changes: Mapping[str, object],
        on_health: Tell = lambda _health: None,
    ) -> None:
        """`changes` are settings of this engine alone; `on_health` hears of its loading."""
        self.name = name
        self._settings = settings
        self._model = model
        # With no time to linger: the process ends with our lease, even if we are killed.
        self._changes = {**changes, "engine.linger": 0}
        self._on_health = on_health
        self._folder = tempfile.TemporaryDirectory(prefix="oc-bench-", dir="/tmp")
        self._socket = Path(self._folder.name) / f"bench-{name.replace(' ', '-')}.sock"
        self._client = EngineClient(f"unix:{self._socket}", limits=PATIENT)
        self._http = Http(self._client.url, PATIENT)
        self._lease: Lease | None = None

    async def __aenter__(self) -> Self:
        try:
            starter = Starter(self._socket, self._command, self._on_health, Patience())
            self._lease = await starter.attach()
            self.health = await self._lease.settled()
            if self._lease.over or self.health.state != "ready":
                cause = self.health.cause or f"the engine ended; see {log_path(self._socket)}"
                raise EngineError(cause)
        except BaseException:
            await self._end()
            raise
        self.server = Server(self.name, self._client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    def _command(self) -> list[str]:
        command = engine_command(self._settings, self._model, self._socket)
        return [*command, *(f"--set={name}={value}" for name, value in self._changes.items())]

    async def _end(self) -> None:
        process = running_engine(self._socket)
        if self._lease is not None:
            await self._lease.close()
            await self._lease.client.close()
        await self._client.close()
        await self._http.close()
        if process is not None:
            await asyncio.to_thread(stop_engine, process)
        self._folder.cleanup()

    async def counters(self) -> dict[str, float]:
        """Return what `/metrics` counts without labels: steps_total, running, waiting, slots …"""
        async with self._http.request("GET", "/metrics") as answer:
            text = (await answer.body()).decode()
        return {
            sample.name.removeprefix(_PREFIX): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if not sample.labels
        }

    async def until_idle(self) -> dict[str, float]:
        """Return the counters once no request is left; asks without a pause, to be exact."""
        while True:
            counters = await self.counters()
            if not counters["running"] + counters["waiting"]:
                return counters

    def memory(self) -> int:
        """Return the bytes that it holds: of the GPUs where it runs there, else of the RAM."""
        if self.health.device.startswith("cuda"):
            return gpu_memory_used()
        return int(psutil.Process(self.health.pid).memory_info().rss)


def gpu_memory_used() -> int:
    """Return the bytes in use on all NVIDIA GPUs, by whomever: NVML knows no container's pids."""
    import pynvml

    pynvml.nvmlInit()
    with contextlib.ExitStack() as stack:
        stack.callback(pynvml.nvmlShutdown)
        count = pynvml.nvmlDeviceGetCount()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(count)]
        return sum(int(pynvml.nvmlDeviceGetMemoryInfo(handle).used) for handle in handles)


async def read_bandwidth(device: str, threads: int) -> float:
    """Return how many bytes a second a device ("cpu", "cuda:0") reads; raises EngineError."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opencoder_lsp.bench.bandwidth", device, str(threads)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise EngineError("the memory's speed cannot be measured; see the message above")
    return float(output)
