"""Reading files that anybody may have put there."""

import os
from pathlib import Path

import pytest

from opencoder_lsp.prompt.files import read_text, resolved, stamp_of


def test_a_text_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"\xef\xbb\xbfx = '\xc3\xa9'\r\n")
    assert read_text(str(path), 100) == "x = 'é'\r\n"


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfea", b"\x89PNG\r\n\x1a\n\0", b"x" * 101])
def test_what_is_no_text_or_too_large_is_not_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    assert read_text(str(path), 100) is None


def test_what_is_no_file_is_not_read_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "gone", Path("/dev/zero")):
        assert read_text(str(path), 100) is None
        assert stamp_of(str(path)) is None
    assert read_text("a\0b", 100) is None
    assert stamp_of("a\0b") is None


def test_a_file_that_may_not_be_read_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x", encoding="utf-8")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert read_text(str(path), 100) is None


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x", encoding="utf-8")
    first = stamp_of(str(path))
    assert first == stamp_of(str(path))
    (tmp_path / "b.py").write_text("y", encoding="utf-8")
    os.replace(tmp_path / "b.py", path)
    assert stamp_of(str(path)) != first


def test_links_are_resolved_and_what_can_be_no_file_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    assert resolved(str(tmp_path / "link")) == str(tmp_path.resolve() / "target")
    for path in ("/a\0b", "/\ud800"):
        assert resolved(path) == path
