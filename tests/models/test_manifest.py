"""The manifest finds every file that is not as it was pulled, and says what to do."""

import json
from pathlib import Path

import pytest

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models.manifest import MANIFEST, Manifest
from tests.models.conftest import Stages

CURE = "run: opencoder-lsp models pull tiny"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with two files and their manifest."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_bytes(b"{}")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 9000)
    manifest_of(folder).save(folder)
    return folder


def manifest_of(folder: Path, **changes: object) -> Manifest:
    """The manifest of what `folder` has."""
    fields = {
        "name": "tiny",
        "architecture": "llama",
        "template": "chatml",
        "stop_ids": [2, 0],
        "context_length": 64,
        "licence": "none",
        "source": "a test",
        "files": Manifest.record(folder),
        "weights": True,
    }
    return Manifest.model_validate(fields | changes)


def test_a_manifest_is_read_as_it_was_written(folder: Path) -> None:
    assert Manifest.load(folder) == manifest_of(folder)


def test_whole_files_pass_with_progress_up_to_the_total(folder: Path, progress: Stages) -> None:
    Manifest.load(folder).verify(folder, progress)
    total = 2 + 256 * 9000
    assert progress.calls[-1] == ("checking", total, total)


@pytest.mark.fault("F60")
def test_a_missing_file_is_named_with_the_cure(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=rf"model\.safetensors is missing; {CURE}"):
        Manifest.load(folder).check_sizes(folder)


@pytest.mark.fault("F60")
def test_a_truncated_file_is_named_with_both_sizes(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ModelError, match=rf"1000 bytes instead of 2304000; {CURE}"):
        Manifest.load(folder).check_sizes(folder)


@pytest.mark.fault("F60")
def test_one_flipped_bit_is_found(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[2_000_000] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    manifest = Manifest.load(folder)
    manifest.check_sizes(folder)
    with pytest.raises(ModelError, match=rf"model\.safetensors is damaged .*{CURE}"):
        manifest.verify(folder)


def test_a_link_in_place_of_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(tmp_path / "elsewhere")
    (folder / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="is not a plain file"):
        Manifest.load(folder).check_sizes(folder)


def test_the_cure_of_a_model_from_a_folder_is_to_pull_that_folder(folder: Path) -> None:
    manifest = manifest_of(folder, source="folder /models/tiny")
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match="models pull /models/tiny$"):
        manifest.check_sizes(folder)


def test_the_cure_of_a_tokenizer_is_to_pull_only_the_tokenizer(folder: Path) -> None:
    manifest = manifest_of(folder, weights=False)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match="models pull tiny --tokenizer-only$"):
        manifest.check_sizes(folder)


def test_a_folder_without_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"opencoder-lsp models pull {tmp_path}"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', "\x00"])
def test_a_damaged_manifest_says_so(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ModelError, match=rf"opencoder\.json is damaged; {CURE}"):
        Manifest.load(folder)


def test_a_manifest_of_a_later_version_asks_for_an_upgrade(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(content | {"version": 2, "new": True}))
    with pytest.raises(ModelError, match="newer opencoder-lsp"):
        Manifest.load(folder)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "sub/x", ".."])
def test_a_file_outside_of_the_folder_is_refused(folder: Path, name: str) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    content["files"][name] = content["files"]["config.json"]
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="outside of its folder"):
        Manifest.load(folder)
