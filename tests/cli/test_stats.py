"""`opencoder-lsp stats`."""

import json
import sys
from pathlib import Path

import pytest

from opencoder_lsp.cli import stats_plot
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.stats import Offer, Record
from tests.cli.test_commands import command

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def record(_own_home: Path) -> Record:
    """The record of this test's home, with three suggestions in it."""
    record = Record()
    for number, language in enumerate(("python", "python", "rust")):
        offer = Offer(f"id-{number}", "w", language, "template", "demo", 40, 1, 0.25)
        record.offered(offer)
    record.accepted("id-0")
    return record


def test_the_table_says_what_was_accepted_and_saved(record: Record) -> None:
    text = command("stats").stdout
    assert "3 suggestions, 33 % of them accepted, 40 characters saved" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["python", "2", "1", "50", "%", "40", "250", "250"] in rows
    assert ["rust", "1", "0", "0", "%", "0", "250", "250"] in rows
    assert ["demo", "(template)", "3", "1", "33", "%", "40", "250", "250"] in rows


def test_json_has_the_same_for_scripts(record: Record) -> None:
    data = json.loads(command("stats", "--json", "--days", "7").stdout)
    assert (data["days"], data["shown"], data["accepted"]) == (7, 3, 1)
    assert data["byLanguage"]["rust"]["acceptance"] == 0


def test_without_any_suggestion_it_says_so() -> None:
    assert "no suggestion was shown in the last 30 days" in command("stats").stdout
    assert json.loads(command("stats", "--json").stdout)["acceptance"] is None


def test_a_record_that_cannot_be_read_is_an_error_with_a_cure(record: Record) -> None:
    record.path.write_bytes(b"something else altogether " * 100)
    assert "move the file away" in command("stats", code=1).stderr


def test_the_picture_is_a_png(record: Record, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "stats.png"
    assert f"the picture is {file}" in command("stats", "--plot", str(file)).stdout
    assert file.read_bytes().startswith(PNG)


def test_a_picture_that_cannot_be_written_is_an_error(record: Record, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = command("stats", "--plot", str(tmp_path / "missing" / "a.png"), code=1)
    assert "cannot write" in done.stderr


def test_without_matplotlib_the_extra_is_named(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OpencoderError, match=r"pip install 'opencoder-lsp\[bench\]'"):
        stats_plot.draw(record.since(1), tmp_path / "a.png")
