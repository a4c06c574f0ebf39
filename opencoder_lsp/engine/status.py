"""What the engine says about itself: in `/health`, `/events` and `/metrics`."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

EngineState = Literal["loading", "ready", "draining", "error"]
_PROGRESS_STEP = 0.01  # the smallest change that is pushed


@dataclass(frozen=True, slots=True)
class Health:
    """The body of `/health`, but for the counts of the moment."""

    model: str
    folder: str
    version: str
    pid: int
    settings: dict[str, Any] = field(default_factory=dict)  # engine.*, as it was started with
    state: EngineState = "loading"
    progress: float = 0.0  # of loading, 0 to 1
    cause: str | None = None  # why the state is "error"
    context_length: int = 0  # tokens of prompt and output together; 0 until loaded
    prompt_tokens_auto: int = 0  # tokens that prefill in half a second
    device: str = ""
    dtype: str = ""
    slots: int = 0  # requests that can run side by side, each of `context_length`
    kv_bytes: int = 0  # memory of all slots


class Status:
    """The engine's health, changed by any thread and watched from the event loop."""

    def __init__(self, health: Health) -> None:
        """`running` and `waiting` are counted by whoever sets `count`."""
        self._health = health
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._pushed = health
        self.count: Callable[[], dict[str, int]] = lambda: {"running": 0, "waiting": 0}
        self.totals: Counter[str] = Counter()  # for /metrics; written by the engine thread

    @property
    def health(self) -> Health:
        """The health of this moment."""
        return self._health

    def as_json(self) -> dict[str, Any]:
        """Return the body of `/health`."""
        return asdict(self._health) | self.count()

    def update(self, **changes: Any) -> None:
        """Change some fields and wake the watchers if there is something to see."""
        with self._lock:
            if self._health.state in ("draining", "error"):
                changes.pop("state", None)  # from these there is no way back
            self._health = replace(self._health, **changes)
            if not self._is_worth_a_push():
                return
            self._pushed = self._health
            listeners = list(self._listeners)
        for wake in listeners:
            wake()

    def _is_worth_a_push(self) -> bool:
        before, now = self._pushed, self._health
        small = abs(now.progress - before.progress) < _PROGRESS_STEP and now.progress < 1
        return replace(before, progress=0) != replace(now, progress=0) or (
            now.progress != before.progress and not small
        )

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set at each change from now on; the watcher clears it."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody watches
                loop.call_soon_threadsafe(changed.set)

        with self._lock:
            self._listeners.append(wake)
        try:
            yield changed
        finally:
            with self._lock:
                self._listeners.remove(wake)
