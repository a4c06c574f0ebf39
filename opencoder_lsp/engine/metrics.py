"""What the engine has done so far, for `/metrics`."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from opencoder_lsp.engine.request import BACKGROUND, CHAT, Finish
from opencoder_lsp.engine.status import Status
from opencoder_lsp.engine.stream import Stream

_PREFIX = "opencoder_engine_"
_OUTCOMES = ("stop", "length", "cancelled", "failed", "refused")
_TOTALS = {
    "prompt_tokens": "Prompt tokens of requests that got a slot.",
    "cached_tokens": "Prompt tokens that were found in a slot.",
    "completion_tokens": "Tokens generated.",
    "steps": "Forward passes.",
    "drafted_tokens": "Tokens guessed by prompt lookup.",
    "accepted_tokens": "Guessed tokens that were right.",
}
_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_RATES = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 500)  # tokens per second
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


class Metrics:
    """Prometheus' view of an engine: the totals of its status, and how its answers went."""

    def __init__(self, status: Status) -> None:
        """Every engine has a registry of its own."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Totals(status))
        self._first_token = self._histogram(
            "time_to_first_token_seconds", "From a request's arrival to its first token.", _SECONDS
        )
        self._speed = self._histogram(
            "tokens_per_second", "Speed of each answer behind its first token.", _RATES
        )
        self._cached = self._histogram(
            "cached_share", "Share of each prompt that was found in a slot.", _SHARES
        )

    def observe(self, stream: Stream) -> None:
        """Take the choices of an answer that have ended into account; for the event loop."""
        kind = _kind(stream.params.priority)
        for finish in stream.finishes:
            if finish.first_token_seconds is not None:
                self._first_token.labels(kind).observe(finish.first_token_seconds)
            if speed := _speed(finish):
                self._speed.labels(kind).observe(speed)
        first = stream.prompt or next(iter(stream.finishes), None)
        if first and first.reason != "cancelled":
            self._cached.labels(kind).observe(first.cached_tokens / first.prompt_tokens)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, help: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(_PREFIX + name, help, ["kind"], buckets=buckets, registry=self._registry)


class _Totals(Collector):
    """Reads what the engine thread counts when it is asked for, so that counting costs no lock."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Give the totals and the counts of the moment."""
        totals, health = self._status.totals, self._status.as_json()
        requests = CounterMetricFamily(
            _PREFIX + "requests", "Requests by how they ended.", labels=["outcome"]
        )
        for outcome in _OUTCOMES:
            requests.add_metric([outcome], totals[f"requests_{outcome}"])
        yield requests
        for name, help in _TOTALS.items():
            yield CounterMetricFamily(_PREFIX + name, help, value=totals[name])
        for name, help in (
            ("running", "Requests in a slot."),
            ("waiting", "Requests in the queue."),
            ("slots", "Sequences that have memory."),
            ("kv_bytes", "Memory of all slots, in bytes."),
        ):
            yield GaugeMetricFamily(_PREFIX + name, help, value=health[name])


def _kind(priority: int) -> str:
    """Return what requests of a priority are for; speculation is to be told apart."""
    if priority < CHAT:
        return "completion"
    return "chat" if priority < BACKGROUND else "background"


def _speed(finish: Finish) -> float | None:
    """Return tokens per second, counted from the first; None where there was no second."""
    steps = finish.completion_tokens - (0 if finish.reason == "stop" else 1)
    if finish.first_token_seconds is None or steps < 1:
        return None
    return steps / max(finish.seconds - finish.first_token_seconds, 1e-6)
