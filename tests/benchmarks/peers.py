"""
The engines that ours is measured beside: which are here, how each is started.

transformers comes with ours. llama-server is taken from PATH or OPENCODER_BENCH_LLAMA_SERVER, with
the same weights as a bf16 GGUF file named by OPENCODER_BENCH_GGUF; vLLM from the Python that
OPENCODER_BENCH_VLLM names.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from opencoder_lsp.bench.target import PATIENT, Server, Target, Timing
from opencoder_lsp.client.engine import EngineClient
from opencoder_lsp.errors import EngineError
from tests.benchmarks.transformers_peer import Pipe

GENERATE, BATCHING = "generate", "batching"
LLAMA, VLLM = "llama-server", "vLLM"
PEERS = (GENERATE, BATCHING, LLAMA, VLLM)
_START_SECONDS = 400.0  # vLLM takes 150 s on two idle cores
_STOP_SECONDS = 20.0
_CONTEXT = 4096


@dataclass(frozen=True)
class Missing:
    """A peer that is not measured, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Peer:
    """
    How to start a peer: a server of `/v1/completions` on port {port}, or our transformers process.

    `body` goes into each request; a server that is not `concurrent` has one slot.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    protocol: Literal["http", "pipe"] = "http"
    body: dict[str, Any] = field(default_factory=dict)
    concurrent: bool = True
    reuses: bool = True


def find(environment: Mapping[str, str], folder: Path, threads: int) -> list[Peer | Missing]:
    """Return each of PEERS for the model in `folder`, or why it cannot be had."""
    return [
        _transformers(GENERATE, folder, threads),
        _transformers(BATCHING, folder, threads),
        _llama(environment, threads),
        _vllm(environment, folder, threads),
    ]


def _transformers(name: str, folder: Path, threads: int) -> Peer:
    module = "tests.benchmarks.transformers_process"
    several = name == BATCHING
    return Peer(
        name=name,
        command=[sys.executable, "-m", module, name, str(folder), str(threads)],
        environment={"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"},
        protocol="pipe",
        concurrent=several,
        reuses=several,
    )


def _llama(environment: Mapping[str, str], threads: int) -> Peer | Missing:
    named = environment.get("OPENCODER_BENCH_LLAMA_SERVER")
    program = shutil.which(named or "llama-server", path=environment.get("PATH"))
    if program is None:
        where = f"{named} is no program" if named else "not on PATH"
        return Missing(LLAMA, f"{where}; OPENCODER_BENCH_LLAMA_SERVER names it")
    weights = environment.get("OPENCODER_BENCH_GGUF", "")
    if not Path(weights).is_file():
        what = f"{weights} is no file" if weights else "OPENCODER_BENCH_GGUF is not set"
        return Missing(LLAMA, f"{what}; it names the same weights as a bf16 GGUF file")
    options = ["-t", str(threads), "-c", "8192", "-np", "1", "--host", "127.0.0.1"]
    return Peer(
        name=LLAMA,
        command=[program, "-m", weights, *options, "--port", "{port}"],
        body={"cache_prompt": True, "ignore_eos": True},
        concurrent=False,
    )


def _vllm(environment: Mapping[str, str], folder: Path, threads: int) -> Peer | Missing:
    python = environment.get("OPENCODER_BENCH_VLLM")
    if not python:
        return Missing(VLLM, "OPENCODER_BENCH_VLLM names no Python that has it")
    if not os.access(python, os.X_OK):
        return Missing(VLLM, f"OPENCODER_BENCH_VLLM: {python} is no program")
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--dtype", "bfloat16", "--max-model-len", str(_CONTEXT)]
    command += ["--host", "127.0.0.1", "--port", "{port}", "--enable-prompt-tokens-details"]
    return Peer(
        name=VLLM,
        command=command,
        environment={
            "VLLM_CPU_KVCACHE_SPACE": "2",
            "VLLM_CPU_OMP_THREADS_BIND": _cores(threads),
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
        },
        body={"ignore_eos": True},
    )


def _cores(threads: int) -> str:
    """Return the numbers of as many of our cores, as vLLM takes them."""
    own = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(threads)
    return ",".join(str(core) for core in list(own)[:threads])


@asynccontextmanager
async def running(peer: Peer, log: Path) -> AsyncIterator[Target]:
    """
    Run a peer for the length of the block, what it says going to `log`.

    Raises EngineError where it does not get ready; the process and its children are ended.
    """
    port = _free_port()
    process = _begin(peer, port, log)
    try:
        if peer.protocol == "pipe":
            async with Pipe(peer.name, process, peer.concurrent, peer.reuses) as pipe:
                yield pipe
        else:
            url = f"http://127.0.0.1:{port}"
            await _until_ready(url, process, log)
            yield Foreign(peer, url)
    finally:
        await asyncio.to_thread(_end, process)


def _begin(peer: Peer, port: int, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [part.replace("{port}", str(port)) for part in peer.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if peer.protocol == "pipe" else output,
            stderr=output,
            env={**os.environ, **peer.environment},
            start_new_session=True,
        )


class Foreign:
    """
    A server of another maker; see `Target`.

    It is connected to anew for each request, as ours is on its Unix socket: llama-server closes a
    connection behind a stream, a moment after a client may have taken it for the next request.
    """

    def __init__(self, peer: Peer, url: str) -> None:
        """`url` is "http://host:port"."""
        self.name = peer.name
        self.reuses = peer.reuses
        self.concurrent = peer.concurrent
        self._url = url
        self._body = peer.body

    async def ask(self, prompt: list[int], tokens: int, *, leave: bool = False) -> Timing:
        """See `Target.ask`."""
        client = EngineClient(self._url, limits=PATIENT)
        try:
            server = Server(self.name, client, extra=self._body)
            return await server.ask(prompt, tokens, leave=leave)
        finally:
            await client.close()


async def _until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    client = EngineClient(url)
    try:
        while process.poll() is None and time.monotonic() < end:
            try:
                await client.health()
            except EngineError:  # nothing listens there yet, or it still loads
                await asyncio.sleep(0.2)
            else:
                return
    finally:
        await client.close()
    raise EngineError(f"it did not start; its log is {log}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
