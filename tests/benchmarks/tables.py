"""What a run found, as tables for people and as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from opencoder_lsp.bench.engine import ENGINE, PLAIN
from opencoder_lsp.bench.rows import KINDS, Rows, advantage
from opencoder_lsp.bench.workloads import Pressed
from tests.benchmarks.goals import Verdict, judge
from tests.benchmarks.peers import PEERS, Missing

# Which of our two columns stands for us beside a peer: decoding is compared without lookup.
_PLAIN_ROWS = ("decode", "share", "stream", "streams")


def cell(rows: Rows, kind: str, target: str) -> str:
    """Return a figure, for a peer with how many times better we are: `21.4 (1.62×)`."""
    shown = rows.shown(kind, target)
    if not shown or target not in PEERS:
        return shown
    times = advantage(rows, kind, PLAIN if kind in _PLAIN_ROWS else ENGINE, target)
    return f"{shown} ({times:.2f}×)" if times else shown


def figures(rows: Rows, missing: Sequence[Missing]) -> Table:
    """Return the table of all figures; in brackets how many times better ours is."""
    gone = {peer.name for peer in missing}
    table = Table("", "unit", box=None, pad_edge=False)
    for target in (ENGINE, PLAIN, *PEERS):
        table.add_column(f"{target}\n(missing)" if target in gone else target, justify="right")
    for kind in rows:
        shown = [cell(rows, kind, target) for target in (ENGINE, PLAIN, *PEERS)]
        table.add_row(KINDS[kind].title, KINDS[kind].unit, *shown)
    return table


def goals(verdicts: Sequence[Verdict]) -> Table:
    """Return the table of what was to be reached."""
    table = Table("goal", box=None, pad_edge=False)
    for title in ("wanted", "reached", ""):
        table.add_column(title, justify="left" if not title else "right")
    for verdict in verdicts:
        goal, unit = verdict.goal, verdict.unit
        reached = "" if verdict.reached is None else f"{verdict.reached:.2f} {unit}".rstrip()
        wanted = f"{goal.bound} {goal.limit:g} {unit}".rstrip()
        title = goal.title + (" (a stretch)" if goal.stretch else "")
        table.add_row(title, wanted, reached, verdict.answer)
    return table


def show(title: str, rows: Rows, missing: Sequence[Missing], console: Console) -> None:
    """Print everything."""
    console.print(f"{title}\nin brackets: how many times better the engine is\n")
    console.print(figures(rows, missing))
    for peer in missing:
        console.print(f"{peer.name} is missing: {peer.reason}", soft_wrap=True)
    console.print()
    console.print(goals(list(judge(rows))))


def save(
    path: Path,
    about: dict[str, Any],
    rows: Rows,
    missing: Sequence[Missing],
    pressed: Sequence[Pressed],
) -> None:
    """Write everything as JSON, the typing trace key by key, in seconds."""
    document = {
        **about,
        "rows": rows.as_json(),
        "missing": {peer.name: peer.reason for peer in missing},
        "goals": [
            {
                "goal": one.goal.title,
                "bound": one.goal.bound,
                "wanted": one.goal.limit,
                "unit": one.unit,
                "stretch": one.goal.stretch,
                "reached": one.reached,
                "answer": one.answer,
            }
            for one in judge(rows)
        ],
        "typing": [
            {
                "key": press.number,
                "target": press.target,
                "extends": press.extends,
                "first": press.first,
                "total": press.total,
            }
            for press in pressed
        ],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
