"""A picture of how long typists wait, and how busy the engine is, by their number."""

from pathlib import Path

from opencoder_lsp.bench.scale import Report
from opencoder_lsp.cli.stats_plot import pyplot, save


def draw(report: Report, path: Path) -> None:
    """Write a PNG. Raises OpencoderError without matplotlib, and where it cannot be written."""
    figure, (upper, lower) = pyplot().subplots(2, 1, figsize=(9, 8), sharex=True)
    typists = [load.typists for load in report.loads]
    replayed = [measured for measured, _ in report.checked]
    numbers = [load.typists for load in replayed]
    for name, color in (("p50", "C0"), ("p95", "C1")):
        simulated = [1000 * getattr(load, name) for load in report.loads]
        measured = [1000 * getattr(load, name) for load in replayed]
        upper.plot(typists, simulated, marker=".", color=color, label=f"{name}, simulated")
        if measured:
            upper.plot(numbers, measured, "x", color=color, markersize=9, label=f"{name}, measured")
    limit = 1000 * report.limit
    upper.axhline(limit, color="0.4", linestyle="--", linewidth=0.8, label=f"{limit:.0f} ms")
    upper.set_ylabel("from asking to the end of the answer, ms")
    upper.set_yscale("log")
    upper.yaxis.set_major_formatter("{x:.0f}")
    upper.yaxis.set_minor_formatter("{x:.0f}")
    upper.set_title(f"{report.model}: {report.carried} typists at p95 ≤ {limit:.0f} ms")
    busy = [100 * (load.busy or 0.0) / load.seconds for load in report.loads]
    lower.plot(typists, busy, marker=".", label="engine busy")
    lower.plot(
        typists, [100 * load.cached for load in report.loads], marker=".", label="prompt cached"
    )
    lower.set_ylabel("%")
    lower.set_ylim(0, 105)
    lower.set_xlabel("typists who never pause")
    lower.set_xscale("log", base=2)
    lower.xaxis.set_major_formatter("{x:.0f}")
    for axes in (upper, lower):
        if report.carried:
            axes.axvline(report.carried, color="0.4", linestyle=":", linewidth=0.8)
        axes.grid(visible=True, which="both", linewidth=0.3)
        axes.legend()
    save(figure, path)
