"""The record of suggestions."""

import dataclasses
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.stats import KEPT_DAYS, Offer, Record, Seen, Summary, by, day, report

DAY = 86_400.0
NOW = 1_750_000_000.0
OFFER = Offer("one", "window", "python", "template", "demo", 20, 2, 0.25)


class Clock:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def record(tmp_path: Path, clock: Clock) -> Record:
    return Record(tmp_path / "data" / "stats.sqlite3", clock)


def another(id: str, **changes: object) -> Offer:
    return dataclasses.replace(OFFER, id=id, **changes)  # type: ignore[arg-type]


def test_what_was_offered_is_there_with_when_and_how(record: Record) -> None:
    record.offered(OFFER)
    assert record.since(1) == [Seen(NOW, "python", "template", "demo", 20, 2, 0.25, 0)]


def test_the_same_suggestion_counts_once(record: Record) -> None:
    record.offered(OFFER)
    record.offered(another("one", characters=5))
    assert [seen.characters for seen in record.since(1)] == [20]


@pytest.mark.parametrize(
    ("taken", "accepted"),
    [
        ([None], 20),
        ([7], 7),
        ([7, 12], 12),
        ([12, 7], 12),
        ([7, None], 20),
        ([None, 3], 20),
        ([99], 20),
        ([0], 0),
    ],
)
def test_taking_more_of_a_suggestion_counts_what_was_taken_in_all(
    record: Record, taken: list[int | None], accepted: int
) -> None:
    record.offered(OFFER)
    for characters in taken:
        record.accepted("one", characters)
    assert [seen.accepted for seen in record.since(1)] == [accepted]


def test_an_id_that_nobody_knows_is_nothing_to_note(record: Record) -> None:
    record.accepted("never")
    record.shown("never")
    assert record.since(1) == []


def test_a_client_that_tells_what_it_shows_has_only_that_counted(record: Record) -> None:
    for id in ("shown", "hidden", "taken"):
        record.offered(another(id, window="tells", characters=len(id)))
    record.offered(another("elsewhere", window="silent", characters=40))
    record.shown("shown")
    record.accepted("taken")
    counted = sorted(seen.characters for seen in record.since(1))
    assert counted == [len("shown"), len("taken"), 40]


def test_only_the_wanted_days_are_counted(record: Record, clock: Clock) -> None:
    clock.now = NOW - 3 * DAY
    record.offered(OFFER)
    clock.now = NOW
    record.offered(another("two"))
    assert len(record.since(2)) == 1
    assert [seen.time for seen in record.since(4)] == [NOW - 3 * DAY, NOW]


def test_what_is_old_is_forgotten_and_gone_from_the_file(record: Record, clock: Clock) -> None:
    clock.now = NOW - (KEPT_DAYS + 1) * DAY
    record.offered(another("old", language="a-language-of-old"))
    clock.now = NOW
    record.offered(OFFER)
    record.prune()
    assert len(record.since(10 * KEPT_DAYS)) == 1
    assert b"a-language-of-old" not in record.path.read_bytes()


def test_only_the_owner_can_read_the_file(record: Record) -> None:
    record.offered(OFFER)
    assert stat.S_IMODE(record.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.path.parent.stat().st_mode) == 0o700


def test_looking_makes_no_file(record: Record) -> None:
    assert record.since(30) == []
    assert not record.path.exists()


def test_several_windows_write_at_once_and_nothing_is_lost(record: Record) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from opencoder_lsp import database; from opencoder_lsp.stats import Offer, Record\n"
        "database._BUSY_TIMEOUT = 60.0  # SQLite lets nobody wait in line, and a disk may be slow\n"
        "record, name = Record(Path(sys.argv[1])), sys.argv[2]\n"
        "for number in range(25):\n"
        "    record.offered(Offer(f'{name}-{number}', name, 'c', 'fim', 'm', 9, 1, 0.1))\n"
        "    record.accepted(f'{name}-{number}', number % 2)\n"
    )
    windows = [
        subprocess.Popen([sys.executable, "-c", code, str(record.path), f"window-{number}"])
        for number in range(4)
    ]
    assert [window.wait() for window in windows] == [0] * 4
    with sqlite3.connect(record.path) as database:
        (count, taken) = database.execute(
            "SELECT count(*), sum(accepted) FROM suggestion"
        ).fetchone()
    database.close()
    assert (count, taken) == (100, 48)


def test_a_file_of_the_first_days_which_has_no_version_is_gone_on_with(record: Record) -> None:
    record.offered(OFFER)
    with sqlite3.connect(record.path) as database:
        database.execute("PRAGMA user_version = 0")
    database.close()
    record.offered(another("two"))
    assert len(record.since(1)) == 2


def test_a_file_of_something_else_is_an_error_that_names_the_cure(record: Record) -> None:
    record.path.parent.mkdir(mode=0o700)
    record.path.write_bytes(b"no database, but long enough to be looked at" * 100)
    calls: list[Callable[[], object]] = [lambda: record.since(1), record.prune]
    for call in calls:
        with pytest.raises(OpencoderError, match="record of suggestions in .* move the file away"):
            call()


def seen(**changes: object) -> Seen:
    usual = Seen(NOW, "python", "template", "demo", 20, 2, 0.25, 0)
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def test_a_summary_has_the_share_the_characters_and_the_latencies() -> None:
    own = [seen(seconds=0.1 * number) for number in range(1, 20)]
    summary = Summary.of([*own, seen(seconds=2.0, accepted=15)])
    assert (summary.shown, summary.accepted, summary.acceptance) == (20, 1, 0.05)
    assert (summary.characters_shown, summary.characters_saved) == (400, 15)
    assert summary.p50 == pytest.approx(1.0)
    assert summary.p95 == pytest.approx(1.9)


def test_a_summary_of_nothing_has_no_share() -> None:
    assert Summary.of([]) == Summary(0, 0, None, 0, 0, 0.0, 0.0)


def test_suggestions_are_summed_up_by_what_they_have() -> None:
    own = [seen(language="rust"), seen(), seen(time=NOW + 2 * DAY, accepted=3)]
    languages = by(own, lambda one: one.language)
    assert [(name, summary.shown) for name, summary in languages.items()] == [
        ("python", 2),
        ("rust", 1),
    ]
    days = by(own, day)
    assert [summary.shown for summary in days.values()] == [2, 1]
    assert list(days) == sorted(days)


def test_the_report_for_scripts_has_everything() -> None:
    data = report([seen(accepted=5), seen(model="plus")], 30)
    assert (data["days"], data["shown"], data["accepted"], data["acceptance"]) == (30, 2, 1, 0.5)
    assert (data["charactersShown"], data["charactersSaved"]) == (40, 5)
    assert data["latency"] == {"p50": 0.25, "p95": 0.25}
    assert data["byModel"].keys() == {"demo", "plus"}
    assert data["byMode"].keys() == {"template"}
    assert data["byLanguage"]["python"]["shown"] == 2
    assert list(data["byDay"]) == [day(seen())]
