"""A fault is looked at where a user would see it: with the protocol's and the client's fixtures."""

import pytest

from tests.client.conftest import engines, short
from tests.faults.report import OUTCOMES, ids_of, lines
from tests.protocol.conftest import (
    command,
    editor,
    engine,
    env,
    fake,
    foreign,
    home,
    raw,
    start,
    tokenizer_folder,
)

__all__ = [
    "command",
    "editor",
    "engine",
    "engines",
    "env",
    "fake",
    "foreign",
    "home",
    "raw",
    "short",
    "start",
    "tokenizer_folder",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the report of a test say which faults it proves."""
    for item in items:
        item.user_properties += [("fault", id) for id in ids_of(item)]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table behind a run of the fault suite."""
    if "fault" in config.option.markexpr:
        reports = (
            (outcome, report.nodeid, [id for name, id in report.user_properties if name == "fault"])
            for outcome in OUTCOMES
            for report in terminalreporter.stats.get(outcome, [])
        )
        terminalreporter.section("faults")
        for line in lines(reports):
            terminalreporter.line(line)
