"""`python -m tests.benchmarks [front|decode|lookup …]`: all of them without an argument."""

import os
import subprocess
import sys

from tests.benchmarks import decode, front, lookup
from tests.conftest import MODEL_HOME

BENCHMARKS = {"front": front.run, "decode": decode.run, "lookup": lookup.run}


def main(names: list[str]) -> None:
    """Pull the demo model if it is not there, and run the named benchmarks."""
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    if not (MODEL_HOME / "data" / "models" / "demo").exists():
        command = [sys.executable, "-m", "opencoder_lsp", "models", "pull", "demo"]
        subprocess.run(command, env={**os.environ, "OPENCODER_HOME": str(MODEL_HOME)}, check=True)
    for name in names or BENCHMARKS:
        BENCHMARKS[name](MODEL_HOME)


main(sys.argv[1:])
