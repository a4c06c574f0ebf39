"""`opencoder-lsp bench scale`: how many typists an engine carries: tables, JSON or a picture."""

import asyncio
import json
import math
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from opencoder_lsp.bench import costs, scale
from opencoder_lsp.bench.load import Load, percentile
from opencoder_lsp.bench.scale import Measurement, Report, Wanted
from opencoder_lsp.bench.typist import Typing
from opencoder_lsp.cli.scale_plot import draw
from opencoder_lsp.cli.stats_plot import pyplot
from opencoder_lsp.cli.terminal import console, print_json, stage_bars
from opencoder_lsp.client.roles import for_role
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

_LEGEND = (
    "p50, p95: from asking to the end of an answer that is read, for typists who never pause. "
    "cached: prompt tokens found in a slot; busy: time in which the engine computes; chats: those "
    "that were answered, and how long that took."
)


@dataclass(frozen=True, slots=True)
class Output:
    """What becomes of the report: JSON on standard output or tables, and a picture."""

    as_json: bool
    plot: Path | None


def run_bench_scale(
    settings: Settings, wanted: Wanted, figures: Path | None, output: Output
) -> None:
    """Measure and simulate with progress bars on standard error; raises OpencoderError."""
    if output.plot is not None:
        pyplot()  # if it is missing, better now than after some minutes
    settings = for_role(settings, "completion")
    model = None if figures or settings.engine.url else registry.resolve(settings)
    with stage_bars() as bars:
        if figures is not None:
            name, found = costs.from_report(_read(figures))
            slots = wanted.slots or settings.engine.slots or scale.SLOTS
            shape = scale.shape_of(found, slots, settings)
            report = scale.planned(name, shape, wanted, Typing.recorded(), bars)
        else:
            report = asyncio.run(Measurement(settings, model, wanted, bars).run())
    if output.plot is not None:
        draw(report, output.plot)
    if output.as_json:
        print_json(report.as_json())
    else:
        _show(report, output.plot)


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise OpencoderError(f"cannot read {path}: {error.strerror}") from error
    except ValueError:
        return None


def _show(report: Report, plot: Path | None) -> None:
    shape = report.shape
    console.print(
        f"{report.model}: a step {_ms(shape.costs.step)} ms, {_ms(shape.costs.row)} ms more for "
        f"each request in it, {_ms(shape.costs.token)} ms for each prompt token, "
        f"{_ms(shape.costs.request)} ms for a request around it; {shape.slots} slots, "
        f"{shape.chunk} prompt tokens in a step",
        soft_wrap=True,
    )
    console.print()
    if report.chats.per_hour:
        console.print(f"each typist asks {report.chats.per_hour:g} questions an hour besides")
    console.print(_table("simulated", report.loads, chats=bool(report.chats.per_hour)))
    if report.checked:
        console.print()
        console.print(_checks(report))
    console.print()
    console.print(_carried(report), soft_wrap=True)
    console.print(_LEGEND, style="dim")
    if plot is not None:
        console.print(f"the picture is {plot}", soft_wrap=True)


def _carried(report: Report) -> str:
    limit = f"p95 ≤ {1000 * report.limit:.0f} ms"
    if report.carried == 0:
        return f"this engine carries nobody at {limit}: {_whole_ms(report.loads[0].p95)} ms alone"
    least = "at least " if report.carried == scale.MOST else ""
    return f"one engine carries {least}{report.carried} typists at {limit}"


def _table(title: str, loads: list[Load], *, chats: bool) -> Table:
    table = Table(title, box=None, pad_edge=False)
    columns = ["requests/s", "left", "refused", "cached", "busy", "p50 ms", "p95 ms"]
    for column in [*columns, *(["chats", "p95 s"] if chats else [])]:
        table.add_column(column, justify="right")
    for load in loads:
        table.add_row(
            _typists(load),
            f"{load.asked / load.seconds:.1f}",
            _share(load.left / load.asked if load.asked else 0.0),
            str(load.refused),
            _share(load.cached),
            "" if load.busy is None else _share(load.busy / load.seconds),
            _whole_ms(load.p50),
            _whole_ms(load.p95),
            *([str(len(load.chats)), _seconds(load.chats)] if chats else []),
        )
    return table


def _checks(report: Report) -> Table:
    table = Table("replayed", box=None, pad_edge=False)
    for column in ("p50 ms", "simulated", "ratio", "p95 ms", "simulated", "ratio"):
        table.add_column(column, justify="right")
    for measured, simulated in report.checked:
        table.add_row(
            _typists(measured),
            *_beside(measured.p50, simulated.p50),
            *_beside(measured.p95, simulated.p95),
        )
    return table


def _beside(measured: float, simulated: float) -> tuple[str, str, str]:
    both = math.isfinite(measured) and math.isfinite(simulated)
    ratio = f"{simulated / measured:.2f}" if both else ""
    return _whole_ms(measured), _whole_ms(simulated), ratio


def _typists(load: Load) -> str:
    return f"{load.typists} typist{'' if load.typists == 1 else 's'}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"


def _whole_ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}" if math.isfinite(seconds) else "never"


def _seconds(chats: list[float]) -> str:
    return f"{percentile(chats, 0.95):.1f}" if chats else ""


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
