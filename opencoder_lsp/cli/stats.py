"""`opencoder-lsp stats`: what became of suggestions on this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from opencoder_lsp.cli.stats_plot import draw
from opencoder_lsp.cli.terminal import console, print_json
from opencoder_lsp.stats import Record, Seen, Summary, by, report


def show_stats(days: int, *, as_json: bool, plot: Path | None) -> int:
    """Print the last `days` days, and draw them; raises OpencoderError."""
    seen = Record().since(days)
    if plot is not None and seen:
        draw(seen, plot)
    if as_json:
        print_json(report(seen, days))
    elif seen:
        _show(seen, days)
        if plot is not None:
            console.print(f"\nthe picture is {plot}", soft_wrap=True)
    else:
        console.print(f"no suggestion was shown in the last {days} days; nothing to count")
    return 0


def _show(seen: Sequence[Seen], days: int) -> None:
    whole = Summary.of(seen)
    console.print(
        f"the last {days} days: {whole.shown} suggestions, {_share(whole)} of them accepted, "
        f"{whole.characters_saved} characters saved",
        soft_wrap=True,
    )
    groups: dict[str, Mapping[str, Summary]] = {
        "language": by(seen, lambda one: one.language),
        "model": by(seen, lambda one: f"{one.model} ({one.mode})"),
    }
    for title, group in groups.items():
        console.print()
        console.print(_table(title, group))


def _table(title: str, group: Mapping[str, Summary]) -> Table:
    table = Table(title, box=None, pad_edge=False)
    for column in ("shown", "accepted", "share", "characters saved", "p50 ms", "p95 ms"):
        table.add_column(column, justify="right")
    for name, own in sorted(group.items(), key=lambda pair: -pair[1].shown):
        table.add_row(
            name,
            str(own.shown),
            str(own.accepted),
            _share(own),
            str(own.characters_saved),
            f"{1000 * own.p50:.0f}",
            f"{1000 * own.p95:.0f}",
        )
    return table


def _share(summary: Summary) -> str:
    return "" if summary.acceptance is None else f"{100 * summary.acceptance:.0f} %"
