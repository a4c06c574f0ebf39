"""Language servers that start engines without torch, by the launcher's own way."""

import os
import sys
from pathlib import Path

from tests.loads import quick_front
from tests.loads.front import Front


def quick(folder: Path, home: Path, pace: float = 0.0) -> Front:
    """
    Make a server that starts a quick engine where none runs, and notes it in `home / "starts"`.

    `pace` is in seconds a token. The engine ends with the last server.
    """
    own = {
        "OPENCODER_HOME": str(home),
        "OPENCODER_MODEL_NAME": str(folder),
        "OPENCODER_ENGINE_LINGER": "0",
    }
    command = [sys.executable, quick_front.__file__]
    command += ["--starts", str(starts_file(home)), "--pace", str(pace)]
    return Front({**os.environ, **own}, command)


def starts_file(home: Path) -> Path:
    """Return the file to which each engine that starts appends its process id."""
    return home / "starts"
