"""The figures of a run: one row for each thing that is measured, one column for each target."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Better = Literal["higher", "lower", ""]  # "" where neither is


@dataclass(frozen=True, slots=True)
class Kind:
    """What a row tells; `scale` makes its unit of what is measured, `digits` follow the point."""

    title: str
    unit: str
    better: Better = "lower"
    scale: float = 1.0
    digits: int = 1


_SPEED = "tokens/s"
KINDS: dict[str, Kind] = {
    "prefill": Kind("prefill", _SPEED, "higher", digits=0),
    "decode": Kind("decode, new code", _SPEED, "higher"),
    "decode_repeat": Kind("decode, code that repeats the file", _SPEED, "higher"),
    "bandwidth": Kind("memory bandwidth of this machine", "GB/s", "", 1e-9),
    "share": Kind("share of it that decoding new code uses", "%", "higher", 100, 0),
    "typing_first": Kind("typing a token: first token", "ms", scale=1000),
    "typing_first_p95": Kind("typing a token: first token, 95th percentile", "ms", scale=1000),
    "typing_total": Kind("typing a token: all 16 tokens", "ms", scale=1000),
    "moved_first": Kind("after a move or a deletion: first token", "ms", scale=1000),
    "stream": Kind("one stream, from asking on", _SPEED, "higher"),
    "streams": Kind("eight streams, together", _SPEED, "higher"),
    "streams_ratio": Kind("… beside one", "×", "higher", digits=2),
    "cancel_steps": Kind("cancel: passes behind the last text read, 95 %", "passes", digits=0),
    "cancel_ms": Kind("cancel: until nothing is at work, median", "ms"),
    "cancel_cached": Kind("cancel: prompt still in its slot", "%", "higher", 100, 0),
    "cancel_memory": Kind("cancel: growth of memory over all of them", "MB", scale=1e-6),
    "memory": Kind("memory in use", "GB", "", 1e-9, 2),
    "chat_chunks": Kind("completion in a chat's prefill: chunks begun before it", "", digits=0),
    "chat_ms": Kind("completion in a chat's prefill: first token, worst", "ms", scale=1000),
    "chat_time": Kind("… in chunks of that prefill", "", "lower", digits=2),
    "host": Kind("host time per step, 40 layers of toy width", "ms", scale=1000),
    "kv": Kind("KV memory beside 2·layers·kv_heads·head_dim·bytes", "%", "", 100),
    "resident": Kind("growth of memory over the small requests", "%", "", 100, 2),
}


@dataclass
class Rows:
    """What has been measured so far, in units of measurement: seconds, tokens/s, bytes, shares."""

    values: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, kind: str, target: str, value: float) -> None:
        """Note one figure; `kind` is one of KINDS."""
        assert kind in KINDS
        self.values.setdefault(kind, {})[target] = value

    def update(self, kind: str, figures: dict[str, float]) -> None:
        """Note a figure for each of several targets."""
        for target, value in figures.items():
            self.add(kind, target, value)

    def get(self, kind: str, target: str) -> float | None:
        """Return a figure; None where it has not been measured."""
        return self.values.get(kind, {}).get(target)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the kinds that have figures, in the order of KINDS."""
        return (kind for kind in KINDS if kind in self.values)

    def shown(self, kind: str, target: str) -> str:
        """Return a figure in the unit of its kind, or "" where there is none."""
        value = self.get(kind, target)
        about = KINDS[kind]
        return "" if value is None else f"{value * about.scale:.{about.digits}f}"

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rows for a script, their figures in the unit that they name."""
        return [
            {
                "row": kind,
                **asdict(KINDS[kind]),
                "values": {t: v * KINDS[kind].scale for t, v in self.values[kind].items()},
            }
            for kind in self
        ]


def advantage(rows: Rows, kind: str, ours: str, other: str) -> float | None:
    """Return how many times better we are than another target; None where that means nothing."""
    mine, theirs = rows.get(kind, ours), rows.get(kind, other)
    better = KINDS[kind].better
    if mine is None or theirs is None or not better or min(mine, theirs) <= 0:
        return None
    return mine / theirs if better == "higher" else theirs / mine
