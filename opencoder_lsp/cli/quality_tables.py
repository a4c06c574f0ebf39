"""The tables of `opencoder-lsp bench quality`."""

from collections.abc import Callable, Mapping, Sequence

from rich.table import Table

from opencoder_lsp.bench.holes import Hole
from opencoder_lsp.bench.modes import BASE
from opencoder_lsp.bench.quality_figures import Difference, Figures
from opencoder_lsp.bench.sources import Source
from opencoder_lsp.cli.terminal import console

_Column = tuple[str, Callable[[Figures], str]]
_NAMES = {"exact": "exact", "similarity": "similar", "likelihood": "log-likelihood"}
_PLACES = {"all": "all holes", "elsewhere": "defined in another file"}
_LEGEND = (
    "exact, similar: the rest of the line after accepting, beside the true one; log-lik.: of the "
    "true rest of the line, from where the prompt ends, so compare only modes that end alike "
    "(healing or not); parses, unbroken, repeats: of what was shown, whether the file then parses, "
    "whether it does or did not before, and suggestions that repeat what follows."
)


def show(
    model: str,
    found: Sequence[Source],
    holes: Sequence[Hole],
    modes: Mapping[str, Figures],
    compared: Sequence[Difference],
) -> None:
    """Print everything for people."""
    code = ", ".join(f"{source.name} {source.version}".strip() for source in found)
    inside = sum(hole.inside for hole in holes)
    title = f"{model}: {len(holes)} holes, {inside} of them inside identifiers, in {code}"
    console.print(title, soft_wrap=True)
    console.print()
    console.print(_table(modes, _QUALITY))
    console.print()
    console.print(_table(modes, _COST))
    if compared:
        console.print()
        console.print(_differences(compared, modes))
    console.print()
    console.print(_LEGEND, style="dim")


def _table(modes: Mapping[str, Figures], columns: Sequence[_Column]) -> Table:
    table = Table("", box=None, pad_edge=False)
    for title, _ in columns:
        table.add_column(title, justify="right")
    for mode, figures in modes.items():
        table.add_row(mode, *(of(figures) for _, of in columns))
    return table


def _differences(compared: Sequence[Difference], modes: Mapping[str, Figures]) -> Table:
    """Lay out what the modes gain or lose, one line for each comparison."""
    table = Table("difference to", box=None, pad_edge=False)
    for title in ("", "of", "mean", "95 % interval", "holes", "ratio"):
        table.add_column(title, justify="left" if title in ("", "of") else "right")
    for one in compared:
        unit, digits, interval = (100.0, 1, one.interval)
        if one.value == "likelihood":
            unit, digits = 1.0, 2
        values = [f"{unit * v:+.{digits}f}" for v in (interval.mean, interval.low, interval.high)]
        table.add_row(
            f"{one.mode} − {one.base}",
            _PLACES[one.where],
            _NAMES[one.value] + ("" if one.value == "likelihood" else " %"),
            values[0],
            f"{values[1]} … {values[2]}",
            str(interval.count),
            _ratio(one, modes),
        )
    return table


def _ratio(one: Difference, modes: Mapping[str, Figures]) -> str:
    """Return how many times as often a mode is exact as the bare prefix."""
    base = modes[BASE].exact if BASE in modes else 0.0
    if (one.value, one.where, one.base) != ("exact", "all", BASE) or not base:
        return ""
    return f"× {modes[one.mode].exact / base:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}f}"


_QUALITY: tuple[_Column, ...] = (
    ("holes", lambda figures: str(figures.holes)),
    ("exact", lambda figures: _percent(figures.exact)),
    ("inside", lambda figures: _percent(figures.exact_inside)),
    ("in front", lambda figures: _percent(figures.exact_in_front)),
    ("similar", lambda figures: _percent(figures.similarity)),
    ("log-lik.", lambda figures: _number(figures.likelihood, 2) or "none"),
    ("shown", lambda figures: _percent(figures.shown)),
    ("parses", lambda figures: _percent(figures.parses)),
    ("unbroken", lambda figures: _percent(figures.unbroken)),
    ("repeats", lambda figures: str(figures.repeats)),
)
_COST: tuple[_Column, ...] = (
    ("p50 ms", lambda figures: _number(1000 * figures.p50)),
    ("p95 ms", lambda figures: _number(1000 * figures.p95)),
    ("tokens computed", lambda figures: _number(figures.computed)),
    ("generated", lambda figures: _number(figures.generated, 1)),
)
