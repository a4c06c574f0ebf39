"""Folders: where they are, and that nobody else can put one in their place."""

import os
from pathlib import Path

import pytest

from opencoder_lsp import paths
from opencoder_lsp.errors import OpencoderError


def test_one_variable_moves_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCODER_HOME", str(tmp_path / "h"))
    folders = [paths.data(), paths.models(), paths.config_file(), paths.cache(), paths.logs()]
    assert all(folder.is_relative_to(tmp_path / "h") for folder in folders)
    assert len(set(folders)) == len(folders)


@pytest.mark.fault("F59")
def test_a_home_that_is_too_long_for_a_socket_gets_a_short_runtime_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODER_HOME", str(tmp_path / ("x" * 90)))
    monkeypatch.setenv("TMPDIR", "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/")
    first = paths.runtime()
    assert len(os.fsencode(first)) < 50
    monkeypatch.setenv("OPENCODER_HOME", str(tmp_path / ("y" * 90)))
    assert paths.runtime() != first


@pytest.mark.fault("F59")
def test_a_private_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    assert paths.private(folder) == folder
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.fault("F59")
def test_a_symbolic_link_is_no_private_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OpencoderError, match="OPENCODER_HOME"):
        paths.private(tmp_path / "run")


@pytest.mark.fault("F59")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_no_private_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", 65534, 65534)
    with pytest.raises(OpencoderError, match="not a folder of this user's own"):
        paths.private(tmp_path / "run")


@pytest.mark.fault("F59")
def test_a_folder_that_cannot_be_made_names_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OpencoderError, match="cannot make .* set OPENCODER_HOME"):
        paths.private(tmp_path / "file" / "run")
