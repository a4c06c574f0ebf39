"""The manifest of a model folder: what the model is, and the size and sha256 of every file."""

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from opencoder_lsp.errors import ModelError

MANIFEST = "opencoder.json"
VERSION = 1
_CHUNK = 1 << 20

# (stage, done, total): bytes or steps; total is None where it cannot be known.
ProgressCallback = Callable[[str, int, int | None], None]


class FileRecord(BaseModel):
    """One file of the folder; `size` in bytes, `sha256` in lower-case hex."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """
    What a model folder holds.

    `template` is the name of a conversation template, empty where none is known; `weights` is
    False where only the tokenizer was pulled.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = VERSION
    name: str = Field(min_length=1)
    architecture: Literal["gpt_bigcode", "llama"]
    template: str
    stop_ids: list[int]
    context_length: int = Field(gt=0)
    licence: str
    source: str
    files: dict[str, FileRecord]
    weights: bool

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the manifest of `folder`; raises ModelError, naming the cure."""
        path = folder / MANIFEST
        try:
            text = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise ModelError(
                f"{folder} is not a pulled model (it has no {MANIFEST}); run: "
                f"opencoder-lsp models pull {folder}"
            ) from None
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError:
            raise ModelError(
                f"{path} is damaged; run: opencoder-lsp models pull {folder.name}"
            ) from None
        if manifest.version > VERSION:
            raise ModelError(
                f"{path} was written by a newer opencoder-lsp; upgrade, or run: "
                f"opencoder-lsp models pull {manifest.name}"
            )
        outside = [name for name in manifest.files if Path(name).name != name or name == ".."]
        if outside:
            raise ModelError(f"{path} names a file outside of its folder: {outside[0]}")
        return manifest

    @classmethod
    def record(
        cls, folder: Path, progress: ProgressCallback | None = None
    ) -> dict[str, FileRecord]:
        """Measure every file in `folder` but the manifest itself."""
        paths = sorted(p for p in folder.iterdir() if p.is_file() and p.name != MANIFEST)
        total, done, records = sum(p.stat().st_size for p in paths), 0, dict[str, FileRecord]()
        for path in paths:
            size = path.stat().st_size
            records[path.name] = FileRecord(
                size=size, sha256=sha256(path, "checking", progress, done, total)
            )
            done += size
        return records

    def save(self, folder: Path) -> None:
        """Write the manifest into `folder`."""
        (folder / MANIFEST).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def check_sizes(self, folder: Path) -> None:
        """Raise ModelError, naming file and cure, where a file is missing or of another size."""
        for name, record in self.files.items():
            path = folder / name
            try:
                status = path.lstat()
            except OSError:
                raise ModelError(f"{path} is missing; {self._cure()}") from None
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(f"{path} is not a plain file; {self._cure()}")
            if (size := status.st_size) != record.size:
                raise ModelError(
                    f"{path} has {size} bytes instead of {record.size}; {self._cure()}"
                )

    def verify(self, folder: Path, progress: ProgressCallback | None = None) -> None:
        """Check size and sha256 of every file; raises ModelError, naming file and cure."""
        self.check_sizes(folder)
        total, done = sum(r.size for r in self.files.values()), 0
        for name, record in self.files.items():
            path = folder / name
            if sha256(path, "checking", progress, done, total) != record.sha256:
                raise ModelError(f"{path} is damaged (its sha256 differs); {self._cure()}")
            done += record.size

    def _cure(self) -> str:
        what = f"{self.name}{'' if self.weights else ' --tokenizer-only'}"
        if self.source.startswith("folder "):
            what = self.source.removeprefix("folder ")
        return f"run: opencoder-lsp models pull {what}"


def sha256(
    path: Path,
    stage: str = "checking",
    progress: ProgressCallback | None = None,
    done: int = 0,
    total: int | None = None,
) -> str:
    """Return the sha256 of a file in hex; `done` bytes of `total` came before this file."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                done += len(chunk)
                if progress:
                    progress(stage, done, total)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()
