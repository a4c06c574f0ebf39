"""What the commands share when they draw on a terminal."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

# No markup: what is printed may hold brackets of the user's or of a command line.
console = Console(highlight=False, markup=False)
errors = Console(stderr=True, highlight=False, markup=False)


class StageBars:
    """One progress bar for each stage of a long work, in the order in which they begin."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show `done` of `total` (None while it is not known) for `stage`."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)


@contextmanager
def stage_bars() -> Iterator[StageBars]:
    """Draw progress bars on standard error for the length of the block."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        yield StageBars(progress)


def print_json(value: Any) -> None:
    """Print one JSON document for a script."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
