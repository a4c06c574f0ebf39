"""The suite itself, run against another server."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_the_suite_runs_against_any_server(foreign: str | None) -> None:
    if foreign:
        pytest.skip("this is such a run")
    arguments = [
        "-q",
        "-rs",
        "-p",
        "no:cacheprovider",
        "--server",
        f"{sys.executable} -m opencoder_lsp",
    ]
    chosen = ["-k", "exit_after_shutdown or exactly_the_selected or at_the_cursor"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(HERE), *arguments, *chosen],
        capture_output=True,
        text=True,
        cwd=HERE.parent.parent,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed, 3 skipped" in done.stdout
    assert "needs our scripted engine" in done.stdout
