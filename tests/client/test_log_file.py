"""The engine's log: short, its owner's alone, and written on by a process that has it open."""

import fcntl
import logging
import os
from pathlib import Path

import pytest

from opencoder_lsp.client.log_file import LIMIT, last_line, older, opened, trim


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "engine.log"


def append(path: Path, text: str) -> None:
    with opened(path) as file:
        os.write(file, text.encode())


def test_a_log_is_for_its_owner_alone_and_is_appended_to(path: Path) -> None:
    append(path, "one\n")
    append(path, "two\n")
    assert path.read_text() == "one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.fault("F62")
def test_a_long_log_is_put_aside_while_it_is_written_to(path: Path) -> None:
    with opened(path) as engine:
        os.write(engine, b"x" * LIMIT)
        trim(path)
        assert path.stat().st_size == LIMIT
        os.write(engine, b"old\n")
        trim(path)
        os.write(engine, b"new\n")
    assert path.read_text() == "new\n"
    assert older(path).read_text().endswith("old\n")
    assert older(path).stat().st_mode & 0o777 == 0o600
    append(path, "y" * LIMIT)
    append(path, "newest")
    assert path.read_text() == "newest"
    assert older(path).stat().st_size == LIMIT + 4


def test_a_log_that_another_front_puts_aside_is_left_to_it(path: Path) -> None:
    append(path, "x" * (LIMIT + 1))
    with path.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        trim(path)
    assert path.stat().st_size == LIMIT + 1
    assert not older(path).exists()


def test_a_link_in_the_way_is_not_followed(path: Path, tmp_path: Path) -> None:
    append(path, "x" * (LIMIT + 1))
    (tmp_path / "precious").write_text("precious")
    older(path).symlink_to(tmp_path / "precious")
    trim(path)
    assert (tmp_path / "precious").read_text() == "precious"
    assert path.stat().st_size == LIMIT + 1


@pytest.mark.fault("F62")
def test_where_no_log_can_be_written_the_engine_does_without(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir(parents=True)
    append(path, "lost")
    assert "runs without a log" in caplog.text
    caplog.clear()
    trim(path)
    with caplog.at_level(logging.DEBUG):
        trim(path.with_name("not there"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_last_line_is_found_behind_a_start_and_shortened(path: Path) -> None:
    assert last_line(path) == ""
    append(path, "")
    assert last_line(path) == ""
    append(path, "first\n")
    assert last_line(path) == "first"
    assert last_line(path, start=path.stat().st_size) == ""
    append(path, "z" * 9000 + "\n\n  \n")
    assert last_line(path) == "z" * 300


def test_a_log_that_was_put_aside_since_the_start_is_read_from_its_beginning(path: Path) -> None:
    append(path, "after\n")
    assert last_line(path, start=LIMIT) == "after"
