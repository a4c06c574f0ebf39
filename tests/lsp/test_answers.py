"""Answers that the server keeps and shows."""

import os
import stat
import time
from pathlib import Path

import pytest

from opencoder_lsp import paths
from opencoder_lsp.lsp.answers import Answers, write


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


def test_an_answer_is_found_by_its_uri() -> None:
    answers = Answers()
    uri = answers.add("Explanation of a b.py 1.md", "text")
    assert uri == "opencoder:/Explanation%20of%20a%20b.py%201.md"
    assert answers.get(uri) == "text"


def test_only_the_newest_answers_are_kept() -> None:
    answers = Answers()
    uris = [answers.add(f"{number}.md", str(number)) for number in range(60)]
    assert answers.get(uris[-1]) == "59"
    assert "not kept" in answers.get(uris[0])


def test_a_file_is_its_owner_s_and_says_what_was_answered() -> None:
    path = write("Explanation.md", "# é\n")
    assert path.read_text(encoding="utf-8") == "# é\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_old_files_are_removed() -> None:
    old = write("old.md", "old")
    yesterday = time.time() - 2 * 24 * 3600
    os.utime(old, (yesterday, yesterday))
    new = write("new.md", "new")
    assert not old.exists()
    assert new.exists()


def test_a_file_that_vanishes_while_old_ones_are_removed_does_no_harm() -> None:
    gone = write("first.md", "x").with_name("gone.md")
    gone.symlink_to("nowhere")  # it is listed, and not there any more
    assert write("second.md", "y").read_text() == "y"


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    link = write("first.md", "x").with_name("answer.md")
    link.symlink_to(target)
    with pytest.raises(OSError, match="answer.md"):
        write("answer.md", "overwritten")
    assert target.read_text() == "precious"
