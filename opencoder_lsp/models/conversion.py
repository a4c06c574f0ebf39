"""Run `engine/convert` as a process of its own, so that torch never enters this one."""

import importlib.util
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Literal

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models.command import running
from opencoder_lsp.models.manifest import ProgressCallback

log = logging.getLogger(__name__)

# Not by its name: nobody owns that in the package index as long as nothing is published there.
INSTALL_ENGINE = 'run in the checkout of opencoder-lsp: pip install ".[engine]"'

Kind = Literal["gguf", "gguf-tokenizer", "checkpoint"]
_NEEDED = ("torch", "transformers", "accelerate", "safetensors", "gguf")


def require_engine_extra(what: str) -> None:
    """Raise ModelError, naming the cure, where the packages that convert weights are missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"{what} must be converted, which needs {', '.join(missing)}; {INSTALL_ENGINE}"
        )


def run(kind: Kind, source: Path, target: Path, progress: ProgressCallback) -> None:
    """
    Convert `source` into the existing folder `target`, passing progress on.

    Raises ModelError with the cause where it fails. Leaving by an exception ends the process.
    """
    require_engine_extra(source.name)
    command = [sys.executable, "-m", "opencoder_lsp.engine.convert", kind, str(source), str(target)]
    # Whatever the libraries say goes to a file: a full pipe would stop the process.
    with tempfile.TemporaryFile() as noise:
        with running(command, stderr=noise, env=_environment()) as process:
            assert process.stdout is not None
            error = _follow(process.stdout, progress)
            code = process.wait()
        if code or error:
            raise ModelError(
                f"the conversion of {source.name} failed: {error or _cause(code, noise)}"
            )


def _follow(lines: IO[str], progress: ProgressCallback) -> str:
    error = ""
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:
            log.warning("the conversion wrote a line that is not JSON")
            continue
        if "error" in message:
            error = str(message["error"])
        else:
            progress(message["stage"], message["done"], message["total"])
    return error


def _environment() -> Mapping[str, str]:
    quiet = {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return os.environ | quiet


def _cause(code: int, noise: IO[bytes]) -> str:
    """What ended a conversion that could not say so itself."""
    if code == -signal.SIGKILL:
        return "it was killed; most likely there was not enough memory"
    if code < 0:
        return f"it was ended by signal {-code}"
    noise.seek(0)
    lines = noise.read().decode("utf-8", "replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
    return f"{said[-500:]} (exit code {code})"
