"""A picture of what became of suggestions, day by day."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.stats import Seen, by, day


def draw(seen: Sequence[Seen], path: Path) -> None:
    """
    Write a PNG: suggestions shown and accepted each day, and their latencies.

    Raises OpencoderError where matplotlib is missing, naming the extra, or the file cannot be
    written.
    """
    plt = pyplot()
    days = by(seen, day)
    names, own = list(days), list(days.values())
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(11, 8), sharex=True)
    upper.bar(names, [summary.shown for summary in own], color="0.8", label="shown")
    upper.bar(names, [summary.accepted for summary in own], label="accepted")
    upper.set_ylabel("suggestions")
    lower.plot(names, [1000 * summary.p50 for summary in own], marker=".", label="p50")
    lower.plot(names, [1000 * summary.p95 for summary in own], marker=".", label="p95")
    lower.set_ylabel("from request to answer, ms")
    lower.set_ylim(bottom=0)
    lower.tick_params(axis="x", rotation=90 if len(names) > 12 else 0)
    for axes in (upper, lower):
        axes.grid(visible=True, axis="y", linewidth=0.3)
        axes.legend()
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a figure of `pyplot` as PNG and close it; raises OpencoderError where it cannot."""
    figure.tight_layout()
    try:
        figure.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise OpencoderError(f"cannot write {path}: {error.strerror}") from error
    finally:
        pyplot().close(figure)


def pyplot() -> Any:
    """Return matplotlib's pyplot, for files only; raises OpencoderError naming the extra."""
    try:
        importlib.import_module("matplotlib").use("agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError:
        raise OpencoderError(
            "a plot needs matplotlib; run: pip install 'opencoder-lsp[bench]', or leave --plot out"
        ) from None
