"""A home for a run of benchmarks: the pulled demo model, and nothing of the user's."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opencoder_lsp.client.launcher import running_engines, stop_engine
from tests.conftest import MODEL_HOME

_OURS = ("OPENCODER_BENCH_", "OPENCODER_TEST_")


def demo_models() -> Path:
    """Return the folder of models with the demo model in it, pulling that first if need be."""
    models = MODEL_HOME / "data" / "models"
    if not (models / "demo").exists():
        command = [sys.executable, "-m", "opencoder_lsp", "models", "pull", "demo"]
        subprocess.run(command, env={**os.environ, "OPENCODER_HOME": str(MODEL_HOME)}, check=True)
    return models


@contextmanager
def fresh(models: Path) -> Iterator[Path]:
    """
    Make OPENCODER_HOME a new folder with these models, and settings be as they are by default.

    Engines that run there are ended with the block; the folder stays, for its logs, if it failed.
    """
    home = Path(tempfile.mkdtemp(prefix="oc-bench-", dir="/tmp"))
    (home / "data").mkdir()
    (home / "data" / "models").symlink_to(models)
    before = dict(os.environ)
    for name in before:
        if name.startswith("OPENCODER_") and not name.startswith(_OURS):
            del os.environ[name]
    os.environ["OPENCODER_HOME"] = str(home)
    failed = True
    try:
        yield home
        failed = False
    finally:
        end_engines()
        os.environ.clear()
        os.environ.update(before)
        if failed:
            print(f"the logs of this run are in {home / 'logs'}", file=sys.stderr)
        else:
            shutil.rmtree(home)


def end_engines() -> None:
    """End the engines that run in OPENCODER_HOME."""
    for engine in running_engines().values():
        stop_engine(engine)
