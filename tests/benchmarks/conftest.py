"""A tiny model with room for every workload."""

from pathlib import Path

import pytest

from tests.fakes.roomy_model import make_roomy_model


@pytest.fixture(scope="session")
def roomy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model of 8192 tokens."""
    return make_roomy_model(tmp_path_factory.mktemp("roomy") / "model")
