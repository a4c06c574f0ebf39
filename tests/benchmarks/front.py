"""The language server's own cost: time to the initialize answer and resident memory."""

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

SAMPLE = "def mean(values):\n    "


@dataclass(frozen=True)
class FrontFigures:
    """Seconds and megabytes (10^6 bytes) of one language server process."""

    initialize_s: float
    initialize_mb: float
    completion_mb: float
    to_suggestion_s: float
    torch_loaded: bool


class Frames:
    """LSP frames over a process's pipes, read and written by hand so that nothing else is timed."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def send(self, method: str, params: Any, id: int | None = None) -> None:
        """Send a request (with an id) or a notification."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        body = json.dumps(message if id is None else {**message, "id": id}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._in.flush()

    def read(self) -> Any:
        """Read one message."""
        length = 0
        while (line := self._out.readline().strip()) or not length:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return json.loads(self._out.read(length))

    def answer(self, id: int) -> Any:
        """Read until the answer to a request; requests of the server are answered with null."""
        while True:
            message = self.read()
            if "method" in message and "id" in message:
                self._reply(message["id"])
            elif message.get("id") == id:
                return message["result"]

    def _reply(self, id: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": id, "result": None}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._in.flush()

    def until(self, method: str, kind: str) -> None:
        """Read until a notification whose params have that kind."""
        while True:
            message = self.read()
            if "method" in message and "id" in message:
                self._reply(message["id"])
            elif message.get("method") == method and message["params"]["kind"] == kind:
                return


def _initialize() -> dict[str, Any]:
    inline: dict[str, Any] = {"textDocument": {"inlineCompletion": {}}}
    options = {"settings": {}, "statusNotifications": True}
    return {"processId": os.getpid(), "capabilities": inline, "initializationOptions": options}


def _rss_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / 1e6)


def _measure(home: Path) -> FrontFigures:
    environment = {**os.environ, "OPENCODER_HOME": str(home), "OPENCODER_MODEL_NAME": "demo"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "opencoder_lsp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    frames = Frames(process)
    frames.send("initialize", _initialize(), 1)
    frames.answer(1)
    seconds, at_initialize = time.perf_counter() - started, _rss_mb(process.pid)
    frames.send("initialized", {})
    document = {"uri": "file:///mean.py", "languageId": "python", "version": 1, "text": SAMPLE}
    frames.send("textDocument/didOpen", {"textDocument": document})
    frames.until("opencoder/status", "ready")
    place = {
        "textDocument": {"uri": document["uri"]},
        "position": {"line": 1, "character": 4},
        "context": {"triggerKind": 1},
    }
    frames.send("textDocument/inlineCompletion", place, 2)
    frames.answer(2)
    suggested = time.perf_counter() - started
    after = _rss_mb(process.pid)
    torch = "libtorch" in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
    frames.send("shutdown", None, 3)
    frames.answer(3)
    frames.send("exit", None)
    process.wait(10)
    return FrontFigures(seconds, at_initialize, after, suggested, torch)


def run(home: Path, rounds: int = 7) -> None:
    """Print the figures; the first round starts the engine, the others find it running."""
    print("language server process (goals: initialize ≤ 0.8 s, ≤ 70 MB; completion ≤ 140 MB)")
    first, *others = [_measure(home) for _ in range(rounds)]
    times = [figures.initialize_s for figures in others]
    print(f"  spawn to initialize answer   median {statistics.median(times):.2f} s", end="")
    print(f" (min {min(times):.2f}, max {max(times):.2f}, {len(times)} runs)")
    print(f"  RSS at that answer           {max(f.initialize_mb for f in others):.0f} MB")
    print(f"  RSS after first completion   {max(f.completion_mb for f in others):.0f} MB")
    print(f"  torch loaded                 {any(f.torch_loaded for f in [first, *others])}")
    print(f"  spawn to first suggestion    {first.to_suggestion_s:.1f} s (engine started)")
    warm = statistics.median(f.to_suggestion_s for f in others)
    print(f"  spawn to first suggestion    {warm:.2f} s (engine running)")
