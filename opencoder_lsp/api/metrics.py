"""What the API counts, for Prometheus; no label has anything of a request's content."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from opencoder_lsp.client.engine import Usage

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._responses = Counter(
            "opencoder_api_responses",
            "Responses by route and HTTP status",
            ["route", "status"],
            registry=self._registry,
        )
        self._tokens = Counter(
            "opencoder_api_tokens",
            "Tokens of answers that were given to their end",
            ["kind"],
            registry=self._registry,
        )
        self._running = Gauge(
            "opencoder_api_running", "Answers being made", registry=self._registry
        )

    def responded(self, route: str, status: int) -> None:
        """Count a response; `route` is one of ours, or "other"."""
        self._responses.labels(route, str(status)).inc()

    def used(self, usage: Usage) -> None:
        """Count an answer's tokens."""
        self._tokens.labels("prompt").inc(usage.prompt_tokens)
        self._tokens.labels("cached").inc(usage.cached_tokens)
        self._tokens.labels("completion").inc(usage.completion_tokens)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count an answer as being made while the block runs."""
        with self._running.track_inprogress():
            yield

    def text(self) -> bytes:
        """Return all of it in Prometheus' text form."""
        return generate_latest(self._registry)
