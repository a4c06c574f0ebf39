"""What the tests of models share."""

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty OPENCODER_HOME, and no settings of the user's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("OPENCODER_HOME", str(folder))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def source(tmp_path: Path, home: Path) -> Path:
    """Where a repository is made."""
    return tmp_path / "tiny"


class Stages:
    """A progress callback that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int | None]] = []

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take one report."""
        self.calls.append((stage, done, total))

    @property
    def names(self) -> list[str]:
        """The stages, each once, in order."""
        return list(dict.fromkeys(stage for stage, _, _ in self.calls))


@pytest.fixture
def progress() -> Stages:
    """A fresh Stages."""
    return Stages()
