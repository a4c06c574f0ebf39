"""A picture of the typing trace: what each key cost each engine."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opencoder_lsp.bench.workloads import Pressed
from opencoder_lsp.errors import OpencoderError


def pyplot() -> Any:
    """Return matplotlib's pyplot, for files only; raises OpencoderError naming the extra."""
    try:
        importlib.import_module("matplotlib").use("agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError:
        raise OpencoderError(
            "a plot needs matplotlib; run: pip install '.[bench]', or leave --plot out"
        ) from None


def draw(pressed: Sequence[Pressed], path: Path) -> None:
    """Write a PNG: milliseconds of the first token and of the whole answer, key by key."""
    plt = pyplot()
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(11, 8), sharex=True)
    for target in dict.fromkeys(press.target for press in pressed):
        own = [press for press in pressed if press.target == target]
        whole = [(press.number, press.total) for press in own if press.total is not None]
        first = [(press.number, press.first) for press in own]
        for axes, points in ((upper, first), (lower, whole)):
            keys, seconds = zip(*points, strict=True) if points else ((), ())
            milliseconds = [1000 * value for value in seconds]
            axes.plot(keys, milliseconds, marker=".", linewidth=0.8, label=target)
    for axes, title in ((upper, "first token"), (lower, "all 16 tokens")):
        axes.set_yscale("log")
        axes.set_ylabel(f"{title}, ms")
        axes.grid(visible=True, which="both", linewidth=0.3)
        for key in {press.number for press in pressed if not press.extends}:
            axes.axvspan(key - 0.5, key + 0.5, color="0.9", zorder=0)
    upper.legend(loc="upper right")
    lower.set_xlabel("key of the recorded trace (grey: a move or a deletion)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
