"""What an engine has done so far, read from its `/metrics` in Prometheus' text format."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from opencoder_lsp.errors import EngineError

_PREFIX = "opencoder_engine_"
_Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Spread:
    """
    `count` measurements, of which a half and 95 % are not above these.

    Both are interpolated within the engine's buckets, and never above its highest bound.
    """

    count: int
    p50: float
    p95: float


@dataclass(frozen=True)
class Activity:
    """
    Counts since the engine's start; shares are 0 to 1, None where there was nothing to share.

    By kind ("completion", "chat", "background"), once there was one: the seconds from arrival to
    first token, and the tokens per second behind it.
    """

    requests: dict[str, int]  # by outcome: "stop", "length", "cancelled", "failed", "refused"
    completion_tokens: int
    cached_share: float | None  # of the prompts' tokens
    lookup_acceptance: float | None  # of the tokens that were guessed
    first_token_seconds: dict[str, Spread]
    tokens_per_second: dict[str, Spread]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `/metrics` says; raises EngineError where it is not in Prometheus' format."""
        samples = _Samples(text)
        return cls(
            requests={
                dict(labels)["outcome"]: int(value)
                for labels, value in samples.of("requests_total")
                if "outcome" in dict(labels)
            },
            completion_tokens=int(samples.total("completion_tokens_total")),
            cached_share=samples.share("cached_tokens_total", "prompt_tokens_total"),
            lookup_acceptance=samples.share("accepted_tokens_total", "drafted_tokens_total"),
            first_token_seconds=samples.spreads("time_to_first_token_seconds"),
            tokens_per_second=samples.spreads("tokens_per_second"),
        )


class _Samples:
    """The samples of our metrics, by their names without our prefix."""

    def __init__(self, text: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        self._samples: dict[str, dict[_Labels, float]] = {}
        try:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if sample.name.startswith(_PREFIX) and math.isfinite(sample.value):
                        own = self._samples.setdefault(sample.name.removeprefix(_PREFIX), {})
                        own[tuple(sorted(sample.labels.items()))] = sample.value
        except (ValueError, IndexError, KeyError) as error:  # what the parser raises
            raise EngineError("what answers at /metrics is not Prometheus' format") from error

    def of(self, name: str) -> Iterable[tuple[_Labels, float]]:
        return self._samples.get(name, {}).items()

    def total(self, name: str) -> float:
        return sum(value for _, value in self.of(name))

    def share(self, part: str, whole: str) -> float | None:
        of = self.total(whole)
        return self.total(part) / of if of else None

    def spreads(self, name: str) -> dict[str, Spread]:
        return dict(self._spreads(name))

    def _spreads(self, name: str) -> Iterator[tuple[str, Spread]]:
        buckets: dict[str, list[tuple[float, float]]] = {}
        for labels, value in self.of(name + "_bucket"):
            by = dict(labels)
            kind, bound = by.get("kind", ""), float(by.get("le", "inf"))
            buckets.setdefault(kind, []).append((bound, value))
        for kind, own in buckets.items():
            own.sort()
            if count := int(own[-1][1]):
                yield kind, Spread(count, quantile(own, 0.5), quantile(own, 0.95))


def quantile(buckets: list[tuple[float, float]], share: float) -> float:
    """
    Return the value that `share` of the measurements do not exceed.

    `buckets` are (upper bound, measurements up to it), in rising order, the last bound infinite.
    Within a bucket measurements are taken to lie evenly, in the last one at its lower bound: as
    Prometheus' histogram_quantile does it.
    """
    wanted = share * buckets[-1][1]
    low = below = 0.0
    for bound, count in buckets:
        if count >= wanted and count > below:
            inside = (wanted - below) / (count - below)
            return low if math.isinf(bound) else low + (bound - low) * inside
        low, below = bound, count
    return low
