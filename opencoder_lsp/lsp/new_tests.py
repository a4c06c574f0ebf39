"""
Where the tests of a file go, and what they are written with, as the workspace has it.

Only names of files are looked at, and in a few files whether they name a framework; nothing that
is read here is sent.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SCRIPTS = frozenset(("javascript", "javascriptreact", "typescript", "typescriptreact"))
_FRAMEWORKS = {
    "go": "Go's package `testing`",
    "java": "JUnit 5",
    "kotlin": "JUnit 5",
    "rust": "Rust's `#[test]`",
    "ruby": "RSpec",
    "csharp": "xUnit",
    "php": "PHPUnit",
    "c": "plain `assert`",
    "cpp": "GoogleTest",
    "lua": "busted",
}
_FOLDERS = ("tests", "test")
_LOOKED_AT = 20  # test files of a folder
_READ = 20_000  # characters of a file


@dataclass(frozen=True, slots=True)
class NewTests:
    """What tests are written with, and the file that they go to; None where that is not known."""

    framework: str
    path: Path | None


def new_tests(path: str, language: str, folders: Sequence[str]) -> NewTests:
    """
    Say where the tests of the file at `path` go; there is no file yet.

    `folders` are the workspace's; above them nothing is looked at.
    """
    language, file = language.lower(), Path(path)
    if language == "python":
        target = _python(file, folders)
        return NewTests(_python_framework(target.parent, file), _free(target))
    if language in _SCRIPTS:
        return NewTests(_script_framework(file, folders), _free(_script(file)))
    if language == "go":
        return NewTests(_FRAMEWORKS[language], _free(file.with_name(f"{file.stem}_test.go")))
    if language in ("java", "kotlin"):
        folder = Path(re.sub(r"/src/main/", "/src/test/", f"{file.parent}/"))
        return NewTests(_FRAMEWORKS[language], _free(folder / f"{file.stem}Test{file.suffix}"))
    return NewTests(_FRAMEWORKS.get(language, ""), None)


def _upwards(file: Path, folders: Sequence[str]) -> Iterator[Path]:
    """Yield the file's folder and those above it, up to the workspace's folder that it is in."""
    tops = [Path(folder) for folder in folders if file.is_relative_to(folder)]
    for folder in file.parents:
        if folder == file.parent or any(folder.is_relative_to(top) for top in tops):
            yield folder


def _python(file: Path, folders: Sequence[str]) -> Path:
    for folder in _upwards(file, folders):
        for name in _FOLDERS:
            if (folder / name).is_dir():
                place = _mirrored(folder / name, file.parent.relative_to(folder).parts)
                return place / _python_name(file, place)
    return file.parent / _python_name(file, file.parent)


def _mirrored(tests: Path, parts: Sequence[str]) -> Path:
    """Return the folder below `tests` that goes with a source folder, as far as there is one."""
    for start in range(len(parts)):  # `src` and the package have often none of their own
        if (place := tests.joinpath(*parts[start:])).is_dir():
            return place
    return tests


def _python_name(file: Path, folder: Path) -> str:
    behind = len(list(folder.glob("*_test.py"))) > len(list(folder.glob("test_*.py")))
    return f"{file.stem}_test.py" if behind else f"test_{file.stem}.py"


def _python_framework(folder: Path, file: Path) -> str:
    """Return unittest where the tests beside use that and nothing else, else pytest."""
    near = [*sorted(folder.glob("test_*.py")), *sorted(folder.glob("*_test.py"))]
    texts = [_text(path) for path in [file, *near[:_LOOKED_AT]]]
    unittest = any(re.search(r"^\s*(?:import|from) unittest\b", text, re.M) for text in texts)
    pytest = any(re.search(r"^\s*(?:import|from) pytest\b", text, re.M) for text in texts)
    return "unittest" if unittest and not pytest else "pytest"


def _script(file: Path) -> Path:
    folder = file.parent / "__tests__"
    place = folder if folder.is_dir() else file.parent
    infix = "spec" if any(place.glob("*.spec.*")) else "test"
    return place / f"{file.stem}.{infix}{file.suffix}"


def _script_framework(file: Path, folders: Sequence[str]) -> str:
    for folder in _upwards(file, folders):
        text = _text(folder / "package.json")
        for name in ("vitest", "jest", "mocha", "jasmine", "ava"):
            if f'"{name}"' in text:
                return name
    return "jest"


def _free(path: Path) -> Path:
    """Return a path at which nothing is: this one, or one with a number."""
    stem, dot, rest = path.name.partition(".")
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{_numbered(stem, number)}{dot}{rest}")
    return path


def _numbered(stem: str, number: int) -> str:
    # What makes it a test's name stays at the end.
    for ending in ("_test", "Test"):
        if stem.endswith(ending):
            return f"{stem.removesuffix(ending)}_{number}{ending}"
    return f"{stem}_{number}"


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_READ)
    except OSError:  # not there, or not to be read: it says nothing
        return ""
