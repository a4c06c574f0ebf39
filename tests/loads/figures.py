"""What a run has measured, for the table at its end; a plugin of pytest (`tests/conftest.py`)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.loads.scale import SCALE


@dataclass(frozen=True)
class Figure:
    """A number or a few words, and what to compare them with, "" where there is nothing."""

    load: str  # its id, as L7
    what: str
    value: str
    goal: str


class Figures:
    """Collects figures in the order in which they come."""

    def __init__(self) -> None:
        self._figures: list[Figure] = []

    def add(self, load: str, what: str, value: str, goal: str = "") -> None:
        """Note a figure."""
        self._figures.append(Figure(load, what, value, goal))

    def lines(self) -> list[str]:
        """Return a table by load; a goal stands behind its figure."""
        width = max((len(figure.what) for figure in self._figures), default=0)
        ordered = sorted(self._figures, key=lambda figure: int(figure.load[1:]))
        return [
            f"{one.load:4} {one.what:{width}}  {one.value}"
            + (f"  (goal: {one.goal})" if one.goal else "")
            for one in ordered
        ]


_KEY = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the figures."""
    config.stash[_KEY] = Figures()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    if lines := terminalreporter.config.stash[_KEY].lines():
        terminalreporter.section(f"loads ({SCALE.name})")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where to note what was measured."""
    return pytestconfig.stash[_KEY]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
