"""Which files holes are cut in."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from opencoder_lsp.bench import sources
from opencoder_lsp.errors import OpencoderError

CODE = "".join(f"def function_{number}():\n    return {number}\n\n\n" for number in range(12))


def put(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def names(folder: Path) -> list[str]:
    return list(sources.of_folder(folder, (".py", ".c")).files)


def test_a_folder_gives_its_source_files_in_sorted_order(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"z.py": "z = 1\n", "a/b.py": "b = 1\n", "a.c": "int a;\n"}
    put(tmp_path, {**files, "notes.txt": "no code", "data.json": "{}"})
    assert names(tmp_path) == ["a.c", "a/b.py", "z.py"]


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": b"a = 1\r\nb = 2\r\n"})
    source = sources.of_folder(tmp_path, (".py",))
    assert source.files["a.py"] == "a = 1\r\nb = 2\r\n"
    sources.write(source, tmp_path / "copy")
    assert (tmp_path / "copy" / "a.py").read_bytes() == b"a = 1\r\nb = 2\r\n"


@pytest.mark.parametrize(
    "name",
    [
        ".hidden/a.py",
        "node_modules/x/a.py",
        "pkg/__pycache__/a.py",
        "venv/lib/a.py",
        "build/lib/pkg/a.py",
        "x.egg-info/a.py",
    ],
)
def test_what_nobody_writes_in_is_left_out(tmp_path: Path, name: str) -> None:
    put(tmp_path, {name: "a = 1\n", "kept.py": "k = 1\n"})
    assert names(tmp_path) == ["kept.py"]


def test_binary_empty_and_huge_files_and_links_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, {"empty.py": "", "binary.py": b"a\0b", "latin.py": b"\xe9", "ok.py": "x = 1\n"})
    put(tmp_path, {"huge.py": "x = 1\n" * 100_000})
    (tmp_path / "link.py").symlink_to(tmp_path / "ok.py")
    assert names(tmp_path) == ["ok.py"]


def test_what_git_ignores_is_left_out(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    put(tmp_path, {".gitignore": "made.py\n", "made.py": "m = 1\n", "own.py": "o = 1\n"})
    assert names(tmp_path) == ["own.py"]


def test_a_copy_of_a_file_is_left_out_even_when_some_of_its_lines_differ(tmp_path: Path) -> None:
    changed = CODE.replace("return 3", "return 33")
    put(tmp_path, {"pkg/a.py": CODE, "vendor/pkg/a.py": changed, "other.py": CODE})
    put(tmp_path, {"x/__init__.py": "import a\n", "y/__init__.py": "import b\n"})
    assert names(tmp_path) == ["other.py", "x/__init__.py", "y/__init__.py"]


def test_a_folder_without_code_or_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpencoderError, match="no source files"):
        names(tmp_path)
    with pytest.raises(OpencoderError, match="is not a folder"):
        names(tmp_path / "missing")


def test_an_installed_package_is_read_where_it_is(tmp_path: Path) -> None:
    source = sources.of_package("typer", tmp_path / "cache")
    assert source.version
    assert "typer/main.py" in source.files
    assert not (tmp_path / "cache").exists()


def test_a_package_that_was_fetched_before_is_not_fetched_again(tmp_path: Path) -> None:
    wheel = tmp_path / "made-up==1.5" / "made_up-1.5-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("made_up/core.py", "x = 1\n")
        archive.writestr("made_up-1.5.dist-info/METADATA", "Name: made-up\n")
    source = sources.of_package("made-up==1.5", tmp_path)
    assert (source.name, source.version) == ("made-up", "1.5")
    assert dict(source.files) == {"made_up/core.py": "x = 1\n"}


def test_pip_says_why_a_package_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(OpencoderError, match=r"cannot fetch no-such-thing: .*; or name a folder"):
        sources.of_package("no-such-thing", tmp_path)


def test_a_requirement_cannot_smuggle_options_to_pip(tmp_path: Path) -> None:
    with pytest.raises(OpencoderError, match="is not the name of a package"):
        sources.of_package("--index-url=http://evil", tmp_path)


async def test_two_folders_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    first = put(tmp_path / "one" / "src", {"a.py": "a = 1\n"})
    second = put(tmp_path / "two" / "src", {"b.py": "b = 1\n"})
    found = await sources.gather([first, second], [], (".py",), tmp_path)
    assert [source.name for source in found] == ["src", "src-2"]
