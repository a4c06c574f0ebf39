"""What there is to say of a running engine: collected from its socket, its lock and its process."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil

from opencoder_lsp.client.activity import Activity, Spread
from opencoder_lsp.client.elsewhere import remote_client
from opencoder_lsp.client.engine import Health, Limits
from opencoder_lsp.client.http import without_password
from opencoder_lsp.client.launcher import EngineProcess
from opencoder_lsp.errors import EngineError
from opencoder_lsp.settings import Settings

# A loading engine may keep its interpreter busy for a while; a hung one must not keep us waiting.
_LIMITS = Limits(connect=5, first=10, stall=10)


@dataclass(frozen=True)
class Report:
    """
    One engine at one moment; what could not be had is None, and `problem` says why.

    `process` is known for engines of this machine, `memory` (resident, bytes) with it.
    """

    url: str
    process: EngineProcess | None
    health: Health | None = None
    activity: Activity | None = None
    memory: int | None = None
    problem: str = ""
    at: float = field(default_factory=time.monotonic)

    @property
    def uptime(self) -> float | None:
        """Seconds since the process began."""
        return None if self.process is None else max(0.0, time.time() - self.process.started)

    def as_json(self) -> dict[str, Any]:
        """Return everything for a script."""
        return {
            "url": without_password(self.url),
            "running": self.health is not None,
            "message": self.problem,
            "process": asdict(self.process) if self.process else None,
            "health": asdict(self.health) if self.health else None,
            "uptime": self.uptime,
            "memory": self.memory,
            "activity": asdict(self.activity) if self.activity else None,
        }

    def lines(self, before: "Report | None" = None) -> Iterator[str]:
        """Yield everything for people; the speed of this moment is measured from `before` on."""
        for name, value in self._rows(before):
            yield f"{name:12} {value}"

    def _rows(self, before: "Report | None") -> Iterator[tuple[str, str]]:
        health, done = self.health, self.activity
        if health is None:
            yield "state", f"no answer: {self.problem}"
        else:
            yield "state", _state(health)
            yield "model", f"{health.model} in {health.folder}" if health.folder else health.model
            if health.device:
                yield "device", f"{health.device}, {health.dtype}"
        if process := self._process():
            yield "process", process
        if health is not None:
            yield "context", f"{health.context_length} tokens"
            if health.slots:
                yield "slots", f"{health.slots}{_of_bytes(health.kv_bytes)}"
            yield "requests", f"{health.running} running, {health.waiting} waiting{_ended(done)}"
        if done is not None:
            yield "first token", _by_kind(done.first_token_seconds, _in_time)
            yield "speed", _by_kind(done.tokens_per_second, _at_speed) + self._now(before)
            yield "cached", f"{_percent(done.cached_share)} of the prompts' tokens"
            yield "lookup", f"{_percent(done.lookup_acceptance)} of the guessed tokens were right"

    def _process(self) -> str:
        parts = []
        if self.process is not None and self.uptime is not None:
            parts = [f"{self.process.pid}, version {self.process.version}"]
            parts.append(f"up {duration(self.uptime)}")
        if self.memory is not None:
            parts.append(f"{size(self.memory)} of memory")
        return ", ".join(parts)

    def _now(self, before: "Report | None") -> str:
        if before is None or before.activity is None or self.activity is None:
            return ""
        new = self.activity.completion_tokens - before.activity.completion_tokens
        rate = max(0, new) / max(self.at - before.at, 1e-3)
        return f"; {rate:.0f} tokens/s now"


async def collect(url: str, process: EngineProcess | None, settings: Settings) -> Report:
    """Ask the engine at `url`, which is `process` if it is one of this machine's."""
    memory = await asyncio.to_thread(_memory, process) if process else None
    client = remote_client(url, settings, _LIMITS)
    try:
        health = await client.health()
        try:
            activity = await client.activity()
        except EngineError:  # a server of another maker need not have such a thing
            activity = None
        return Report(url, process, health, activity, memory)
    except EngineError as error:
        return Report(url, process, memory=memory, problem=str(error))
    finally:
        await client.close()


def _memory(process: EngineProcess) -> int | None:
    try:
        return int(psutil.Process(process.pid).memory_info().rss)
    except psutil.Error:
        return None


def _state(health: Health) -> str:
    if health.state == "loading":
        return f"loading, {100 * min(1.0, max(0.0, health.progress)):.0f} %"
    return f"{health.state}: {health.cause}" if health.cause else health.state


def _ended(done: Activity | None) -> str:
    if done is None or not done.requests:
        return ""
    answered = sum(done.requests.get(outcome, 0) for outcome in ("stop", "length"))
    others = (f"{done.requests.get(name, 0)} {name}" for name in ("cancelled", "failed", "refused"))
    return f"; {answered} answered, {', '.join(others)} so far"


def _by_kind(spreads: dict[str, Spread], write: Any) -> str:
    order = ("completion", "chat", "background")
    known = [kind for kind in order if kind in spreads]
    return "; ".join(f"{kind} {write(spreads[kind])}" for kind in known) or "nothing answered yet"


def _in_time(spread: Spread) -> str:
    return f"{milliseconds(spread.p50)}, 95 % within {milliseconds(spread.p95)}"


def _at_speed(spread: Spread) -> str:
    return f"{spread.p50:.0f} tokens/s"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _of_bytes(count: int) -> str:
    return f", with {size(count)} for keys and values" if count else ""


def milliseconds(seconds: float) -> str:
    """Write a short time: "23 ms", "1.2 s"."""
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def duration(seconds: float) -> str:
    """Write a long time: "7 s", "3 min 5 s", "2 h 5 min"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(count: int) -> str:
    """Write a number of bytes: "612 MB", "31.0 GB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
