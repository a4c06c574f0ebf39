"""What was found of typing: figures, goals, tables for people and JSON."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

Answer = Literal["yes", "no", "not measured"]
_REPREFILL = 0.5  # of a prompt, computed at one key: its beginning has changed


@dataclass(frozen=True, slots=True)
class Key:
    """Tokens of the prompts that one key caused, all together, and how many were computed."""

    jumped: bool
    prompt: int
    computed: int


@dataclass
class Figures:
    """
    What was measured; seconds.

    `answers` are of the keys after which the typist read the answer, `naive` of some of the same
    keys. `keys` are of a server that does nothing ahead, `keys_ahead` of one that does. `work` is
    by the length of the prompt, in tokens.
    """

    tally: dict[str, int] = field(default_factory=dict)
    answers: list[float] = field(default_factory=list)
    naive: list[float] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    keys_ahead: list[Key] = field(default_factory=list)
    typed_tokens: int = 0
    work: dict[int, list[float]] = field(default_factory=dict)

    @property
    def without_stream(self) -> float | None:
        """The share of answered requests that needed no stream of their own."""
        answered = sum(self.tally.get(how, 0) for how in ("known", "joined", "opened"))
        return 1 - self.tally["opened"] / answered if answered else None

    @property
    def strokes(self) -> list[int]:
        """The prompt tokens computed at each key that is no jump, nothing ahead."""
        return _computed(self.keys)

    @property
    def computed_per_typed(self) -> float | None:
        """Prompt tokens computed for each token typed, jumps aside."""
        return sum(self.strokes) / self.typed_tokens if self.typed_tokens else None

    @property
    def reprefills(self) -> int | None:
        """Keys that had most of their prompt computed anew though nobody jumped."""
        keys = [*self.keys, *self.keys_ahead]
        anew = [key for key in keys if not key.jumped and key.computed > _REPREFILL * key.prompt]
        return len(anew) if keys else None

    def work_ms(self, share: float, tokens: int) -> float | None:
        """Return the milliseconds of own work that `share` of the requests do not exceed."""
        return _ms(percentile(self.work.get(tokens, []), share))


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to reach, `reached` None where it was not measured."""

    title: str
    bound: Literal["≤", "≥"]
    wanted: float
    unit: str
    reached: float | None

    @property
    def answer(self) -> Answer:
        """Whether it was reached."""
        if self.reached is None:
            return "not measured"
        met = self.reached <= self.wanted if self.bound == "≤" else self.reached >= self.wanted
        return "yes" if met else "no"


def goals(figures: Figures) -> Iterator[Goal]:
    """Yield what was to be reached."""
    share = figures.without_stream
    yield Goal(
        "answered without the engine or from a running stream",
        "≥",
        60,
        "%",
        None if share is None else 100 * share,
    )
    yield Goal(
        "prompt tokens computed for a token typed, jumps aside",
        "≤",
        2,
        "",
        figures.computed_per_typed,
    )
    yield Goal("prompts computed anew without a jump", "≤", 0, "", figures.reprefills)
    for tokens in figures.work:
        title = f"the server's own work, 95th percentile, prompts of {tokens} tokens"
        yield Goal(title, "≤", 10, "ms", figures.work_ms(0.95, tokens))


def rows(figures: Figures) -> Iterator[tuple[str, str, float | None]]:
    """Yield title, unit and value of each figure."""
    for how in ("known", "joined", "opened", "outdated"):
        yield f"requests {how}", "", figures.tally.get(how)
    for name, share in (("median", 0.5), ("95th percentile", 0.95)):
        ours, naive = percentile(figures.answers, share), percentile(figures.naive, share)
        yield f"from key to answer, {name}", "ms", _ms(ours)
        yield "… asked naively", "ms", _ms(naive)
        yield "… how many times as long", "×", naive / ours if ours and naive else None
    strokes = figures.strokes
    yield "prompt tokens computed per key, mean", "", statistics.fmean(strokes) if strokes else None
    yield "… 95th percentile", "", percentile(strokes, 0.95)
    ahead = _computed(figures.keys_ahead)
    yield "… ahead included, mean", "", statistics.fmean(ahead) if ahead else None
    jumps = [key.computed for key in figures.keys if key.jumped]
    yield "… at a jump, mean", "", statistics.fmean(jumps) if jumps else None
    yield "tokens typed per key", "", figures.typed_tokens / len(strokes) if strokes else None
    for tokens in figures.work:
        for name, share in (("median", 0.5), ("95th percentile", 0.95)):
            title = f"the server's own work, prompts of {tokens} tokens, {name}"
            yield title, "ms", figures.work_ms(share, tokens)


def show(about: str, figures: Figures, console: Console) -> None:
    """Print everything."""
    console.print(f"typing: {about}\n")
    table = Table("", "unit", box=None, pad_edge=False)
    table.add_column("", justify="right")
    for title, unit, value in rows(figures):
        table.add_row(title, unit, "" if value is None else _shown(value))
    console.print(table)
    console.print()
    table = Table("goal", "wanted", "reached", "", box=None, pad_edge=False)
    for goal in goals(figures):
        reached = "" if goal.reached is None else f"{goal.reached:.2f} {goal.unit}"
        table.add_row(goal.title, f"{goal.bound} {goal.wanted:g} {goal.unit}", reached, goal.answer)
    console.print(table)


def save(path: Path, about: str, figures: Figures) -> None:
    """Write everything as JSON, with what was measured at each key."""
    document: dict[str, Any] = {
        "about": about,
        "rows": [
            {"row": title, "unit": unit, "value": value} for title, unit, value in rows(figures)
        ],
        "goals": [{**asdict(goal), "answer": goal.answer} for goal in goals(figures)],
        "measured": asdict(figures),
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return what `share` of the values do not exceed; None where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _computed(keys: Sequence[Key]) -> list[int]:
    return [key.computed for key in keys if not key.jumped]


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
