"""
The code in which holes are cut: the source files of folders and of Python packages.

Left out is what an editor would not complete in: what git ignores, hidden and built folders, large
files, and copies of other files (a `build/lib`, a vendored duplicate), which would give the answer
away.
"""

import asyncio
import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from opencoder_lsp.errors import OpencoderError

PACKAGES = ("httpx", "starlette", "click", "jinja2")
_LARGEST = 400_000  # bytes of a file
_FOLDERS = re.compile(r"\..*|__pycache__|node_modules|site-packages|venv|dist|.*\.(egg|dist)-info")
_BUILT = re.compile(r"(^|/)build/(lib|bdist|temp)[^/]*/")
_SMALLEST_COPY = 20  # lines: files as small as this may well be alike
_COPIED = 0.7  # share of lines that a copy has in common with what it is a copy of


@dataclass(frozen=True, slots=True)
class Source:
    """
    Files of one folder or package: text by path below `root`, with `/`, in sorted order.

    `version` is a package's, "" for a folder.
    """

    name: str
    version: str
    files: Mapping[str, str]


def of_folder(folder: Path, suffixes: Iterable[str]) -> Source:
    """Read the source files of a folder; OpencoderError where there is none."""
    if not folder.is_dir():
        raise OpencoderError(f"{folder} is not a folder")
    names = _listed_by_git(folder)
    files = _read(folder, _walk(folder) if names is None else names, suffixes)
    if not files:
        raise OpencoderError(f"{folder} has no source files")
    return Source(folder.resolve().name, "", without_copies(files))


def of_package(requirement: str, cache: Path) -> Source:
    """
    Read a package (`httpx`, `httpx==0.28.1`) where it is installed, else fetch it with pip.

    What is fetched is kept in `cache`. Raises OpencoderError, with pip's own words.
    """
    name, _, wanted = requirement.partition("==")
    with suppress(importlib.metadata.PackageNotFoundError):
        installed = importlib.metadata.distribution(name)
        if wanted in ("", installed.version):
            names = [str(file) for file in installed.files or () if ".." not in file.parts]
            files = _read(Path(str(installed.locate_file(""))), names, (".py",))
            if files:  # none: it is installed as a link to its sources
                return Source(name, installed.version, without_copies(files))
    wheel = _wheel(requirement, cache)
    with zipfile.ZipFile(wheel) as archive:
        texts = {entry: archive.read(entry) for entry in archive.namelist() if _is_code(entry)}
    files = {path: text for path, data in texts.items() if (text := _text(data)) is not None}
    if not files:
        raise OpencoderError(f"{requirement} has no source files")
    version = wheel.name.split("-")[1]
    return Source(name, version, without_copies(dict(sorted(files.items()))))


def without_copies(files: Mapping[str, str]) -> dict[str, str]:
    """
    Leave out each file that is a copy of one with a shorter path, be it somewhat changed.

    A changed copy has the same name, and most of its lines are the other's.
    """
    kept, seen = set[str](), set[str]()
    by_name: dict[str, list[set[str]]] = {}
    for path in sorted(files, key=lambda path: (path.count("/"), len(path), path)):
        text = files[path]
        digest = hashlib.sha256(text.encode()).hexdigest()
        lines = {line for line in map(str.strip, text.splitlines()) if line}
        others = by_name.setdefault(PurePosixPath(path).name, [])
        large = len(lines) >= _SMALLEST_COPY
        copied = large and any(len(lines & other) >= _COPIED * len(lines) for other in others)
        others.append(lines)
        if (digest in seen and lines) or copied:
            continue
        kept.add(path)
        seen.add(digest)
    return {path: text for path, text in files.items() if path in kept}


def write(source: Source, folder: Path) -> None:
    """Write the files of a source into `folder`, byte for byte."""
    for path, text in source.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())


async def gather(
    folders: Iterable[Path], packages: Iterable[str], suffixes: Iterable[str], cache: Path
) -> list[Source]:
    """Read folders and packages; two of one name get numbers. Raises as the two above."""
    suffixes = tuple(suffixes)
    found = [await asyncio.to_thread(of_folder, folder, suffixes) for folder in folders]
    found += [await asyncio.to_thread(of_package, package, cache) for package in packages]
    named: dict[str, Source] = {}
    for source in found:
        name, number = source.name, 2
        while name in named:
            name, number = f"{source.name}-{number}", number + 1
        named[name] = Source(name, source.version, source.files)
    return list(named.values())


def _listed_by_git(folder: Path) -> list[str] | None:
    """Return the files that git does not ignore; None where the folder is in no repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True)
    except FileNotFoundError:  # no git here
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name] or None


def _walk(folder: Path) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _FOLDERS.fullmatch(name)]
        yield from ((Path(where) / name).relative_to(folder).as_posix() for name in names)


def _read(root: Path, names: Iterable[str], suffixes: Iterable[str]) -> dict[str, str]:
    endings, files = tuple(suffixes), dict[str, str]()
    for name in sorted(set(names)):
        path = root / name
        wanted = name.lower().endswith(endings) and not _is_passed_over(name)
        if not wanted or path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_size <= _LARGEST and (text := _text(path.read_bytes())) is not None:
            files[name] = text
    return files


def _text(data: bytes) -> str | None:
    """Return the text of a file; None where it is empty or none."""
    with suppress(UnicodeDecodeError):
        return None if b"\0" in data else data.decode("utf-8") or None
    return None


def _is_code(entry: str) -> bool:
    return entry.endswith(".py") and not _is_passed_over(entry)


def _is_passed_over(name: str) -> bool:
    parts = PurePosixPath(name).parts[:-1]
    return _BUILT.search(name) is not None or any(map(_FOLDERS.fullmatch, parts))


def _wheel(requirement: str, cache: Path) -> Path:
    """Return the wheel of a package, fetched unless it has been before."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+(==[A-Za-z0-9._+!-]+)?", requirement):
        raise OpencoderError(f"{requirement} is not the name of a package, or name==version")
    folder = cache / requirement
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--disable-pip-version-check", "--dest", str(folder)]
        done = subprocess.run([*command, requirement], capture_output=True, text=True)
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise OpencoderError(
                f"cannot fetch {requirement}: {said}; or name a folder instead of packages"
            )
    return sorted(folder.glob("*.whl"))[-1]
