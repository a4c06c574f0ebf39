"""A fault is looked at where a user would see it: with the protocol's and the client's fixtures."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from opencoder_lsp.client.launcher import Launcher, running_engine, socket_path, stop_engine
from opencoder_lsp.models.registry import resolve
from opencoder_lsp.settings import Settings
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


@pytest.fixture
def tiny(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings for the real engine with a tiny model; it is stopped in the end."""
    from tests.fakes.checkpoints import make_checkpoint  # imports torch

    monkeypatch.setenv("OPENCODER_HOME", str(short / "home"))
    pairs = [f"model.name={make_checkpoint(short / 'tiny')}", "engine.device=cpu"]
    settings = Settings.load(cli=pairs)
    yield settings
    if engine := running_engine(socket_path(resolve(settings))):
        stop_engine(engine)


@pytest.fixture
async def launcher(tiny: Settings) -> AsyncIterator[Launcher]:
    """A launcher of it."""
    launcher = Launcher(tiny)
    yield launcher
    await launcher.stop()


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
