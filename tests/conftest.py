"""What every test stands on: a home of its own, and the real demo model for those that ask."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import platformdirs
import pytest

# A machine that stands still for a moment makes no example wrong, nor its data too slow to make.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

pytest_plugins = ["tests.loads.figures"]

# A pulled demo model outlives a run: it is 93 MB to fetch and a minute to convert.
MODEL_HOME = Path(
    os.environ.get("OPENCODER_TEST_HOME")
    or os.path.join(platformdirs.user_cache_dir("opencoder-lsp"), "tests")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses the demo model, and skip GPU tests where there is no GPU."""
    for item in items:
        if "demo_home" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.model)
        if item.get_closest_marker("gpu") and not _cuda():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep the user's settings, models and engine out of the tests, and the tests out of theirs."""
    for name in [name for name in os.environ if name.startswith("OPENCODER_")]:
        monkeypatch.delenv(name)
    # Not `tmp_path`, which is too long for a socket: the engine's would be elsewhere, and stay.
    with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp", ignore_cleanup_errors=True) as home:
        monkeypatch.setenv("OPENCODER_HOME", home)
        yield Path(home)


@pytest.fixture(scope="session")
def demo_home() -> Path:
    """A home in which the real demo model is pulled."""
    environment = {**os.environ, "OPENCODER_HOME": str(MODEL_HOME)}
    command = [sys.executable, "-m", "opencoder_lsp", "models"]
    here = subprocess.run([*command, "verify", "demo"], env=environment, capture_output=True)
    if here.returncode != 0:
        subprocess.run([*command, "pull", "demo"], env=environment, check=True)
    return MODEL_HOME


@pytest.fixture
def demo_environment(demo_home: Path, _own_home: Path) -> dict[str, str]:
    """Environment of a process that runs the demo model, with a runtime folder of its own."""
    (_own_home / "data").mkdir()
    (_own_home / "data" / "models").symlink_to(demo_home / "data" / "models")
    return {**os.environ, "OPENCODER_MODEL_NAME": "demo", "OPENCODER_ENGINE_LINGER": "0"}
