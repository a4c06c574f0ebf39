"""`opencoder-lsp bench`: what this machine makes of a model, as a table or JSON."""

import asyncio
import os
from dataclasses import asdict

from rich.table import Table

from opencoder_lsp.bench.engine import ENGINE, PLAIN, SIZE, Measurement, Report
from opencoder_lsp.bench.rows import KINDS
from opencoder_lsp.bench.workloads import QUICK
from opencoder_lsp.cli.terminal import console, errors, print_json, stage_bars
from opencoder_lsp.client.launcher import running_engines
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

_BUSY = 0.5  # programs that want a core


def run_bench_engine(settings: Settings, *, as_json: bool, quick: bool) -> None:
    """Measure with progress bars on standard error, then print; raises OpencoderError."""
    model = registry.resolve(settings)
    for other in running_engines().values():
        errors.print(
            f"note: an engine of {other.model} runs (process {other.pid}) and takes memory and "
            "time; to end it: opencoder-lsp engine stop --all",
            soft_wrap=True,
        )
    if (load := os.getloadavg()[0]) > _BUSY:
        errors.print(f"note: this machine is busy (load {load:.1f}), so figures will be lower")
    size = QUICK if quick else SIZE
    with stage_bars() as bars:
        report = asyncio.run(Measurement(settings, model, size, bars).run())
    if as_json:
        print_json({**_about(report), "rows": report.rows.as_json()})
    else:
        show(report)


def show(report: Report) -> None:
    """Print a report for people."""
    console.print(_title(report))
    console.print(_table(report))


def _about(report: Report) -> dict[str, object]:
    fields = asdict(report)
    del fields["rows"]
    return fields


def _title(report: Report) -> str:
    threads = f", {report.threads} threads" if report.device == "cpu" else ""
    return f"{report.model} in {report.dtype} on {report.device}{threads}"


def _table(report: Report) -> Table:
    table = Table("", box=None, pad_edge=False)
    for target in (ENGINE, PLAIN):
        table.add_column(target, justify="right")
    table.add_column("")
    for kind in report.rows:
        figures = [report.rows.shown(kind, target) for target in (ENGINE, PLAIN)]
        table.add_row(KINDS[kind].title, *figures, KINDS[kind].unit)
    return table
