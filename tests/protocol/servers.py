"""Real engines of several makers with the demo model, for the tests that ask each the same."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from opencoder_lsp.bench.tap import Tap
from opencoder_lsp.client.engine import EngineClient
from opencoder_lsp.errors import EngineError
from tests.benchmarks import peers

OURS = "ours"
SERVERS = (OURS, peers.LLAMA, peers.VLLM)
_START_SECONDS = 400.0  # vLLM takes 150 s on two idle cores


def peer(name: str, environment: Mapping[str, str], folder: Path) -> peers.Peer | peers.Missing:
    """
    Return how to start another maker's server for the model in `folder`, or why it cannot be had.

    OPENCODER_LLAMA_SERVER names the program where it is not on PATH, OPENCODER_GGUF the demo model
    as a bf16 GGUF file, OPENCODER_VLLM the Python that has vLLM.
    """
    named = {
        f"OPENCODER_BENCH_{what}": environment.get(f"OPENCODER_{what}", "")
        for what in ("LLAMA_SERVER", "GGUF", "VLLM")
    }
    own = {"PATH": environment.get("PATH", ""), **{k: v for k, v in named.items() if v}}
    # One thread: those of llama.cpp wait for each other at full speed, which starves them here.
    found = {one.name: one for one in peers.find(own, folder, 1)}[name]
    if isinstance(found, peers.Missing):
        return peers.Missing(name, found.reason.replace("OPENCODER_BENCH_", "OPENCODER_"))
    return found


@contextmanager
def ours(folder: Path, runtime: Path) -> Iterator[str]:
    """Run our engine for the model in `folder`, and yield its address."""
    path = runtime / "engine.sock"
    command = [sys.executable, "-m", "opencoder_lsp.engine", "--set=engine.linger=86400"]
    command += ["--model", str(folder), "--socket", str(path)]
    with _running(command, {}, runtime / "log") as process:
        asyncio.run(_ready(f"unix:{path}", process))
        yield f"unix:{path}"


async def _ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    client = EngineClient(url)
    try:
        while process.poll() is None:
            with contextlib.suppress(EngineError):  # it does not listen yet
                if (await client.health()).state == "ready":
                    return
            await asyncio.sleep(0.1)
        raise AssertionError("our engine ended while it started")
    finally:
        await client.close()


@contextmanager
def theirs(server: peers.Peer, runtime: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run another maker's server; yield its address and process, once it lists its model."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [part.replace("{port}", str(port)) for part in server.command]
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + _START_SECONDS
    log = runtime / "log"
    with _running(command, server.environment, log) as process:
        while not _lists_models(url):
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < end
            time.sleep(0.2)
        yield url, process


def _lists_models(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v1/models", timeout=5) as answer:
            return bool(json.load(answer)["data"])
    except (OSError, ValueError):  # nothing listens there yet, or it still loads
        return False


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Recorder(Tap):
    """A tap that keeps the bodies of requests for text, as the server gets them."""

    def __init__(self, target: str) -> None:
        """`target` is the server's address."""
        super().__init__(target)
        self.bodies: list[dict[str, Any]] = []

    def _note(self, request: web.Request, body: bytes) -> None:
        if request.path.endswith(("/completion", "/completions")):
            self.bodies.append(json.loads(body))
