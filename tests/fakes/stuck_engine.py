"""
The engine's process around a model whose steps never end.

    python stuck_engine.py --model FOLDER --socket PATH [--set NAME=VALUE]…

It takes what `python -m opencoder_lsp.engine` takes; the folder is not looked into.
"""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from opencoder_lsp.engine import loading
from opencoder_lsp.engine.__main__ import main
from opencoder_lsp.engine.core import Loaded, Report
from opencoder_lsp.engine.step import Outcome, Work
from opencoder_lsp.settings import Settings
from tests.fakes.runner import FakeRunner, loaded


class StuckRunner(FakeRunner):
    """Does not come back."""

    def step(self, works: Sequence[Work]) -> list[Outcome]:
        threading.Event().wait()
        return super().step(works)


def load(folder: Path, settings: Settings, report: Report) -> Loaded:
    """Stand in for `loading.load`."""
    report(1.0)
    return loaded(StuckRunner())


if __name__ == "__main__":
    loading.load = load
    sys.exit(main())
