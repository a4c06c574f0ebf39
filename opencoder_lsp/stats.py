"""
What became of suggestions, in one SQLite file of this user's: no code, no paths, no file names.

A suggestion is noted when it is first offered; typing along it does not make it another one. A
client that tells what it shows (`textDocument/didShowCompletion`) has only that counted, for the
others what is offered counts as shown.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Any

from opencoder_lsp import paths
from opencoder_lsp.database import transaction

KEPT_DAYS = 365
_DAY = 86_400.0  # seconds
# "IF NOT EXISTS" because files of the first days have all of it and no version.
_MIGRATIONS = (
    (
        """
        CREATE TABLE IF NOT EXISTS suggestion (
            id TEXT PRIMARY KEY,
            window TEXT NOT NULL,
            time REAL NOT NULL,
            language TEXT NOT NULL,
            mode TEXT NOT NULL,
            model TEXT NOT NULL,
            characters INTEGER NOT NULL,
            lines INTEGER NOT NULL,
            seconds REAL NOT NULL,
            shown INTEGER NOT NULL DEFAULT 0,
            accepted INTEGER NOT NULL DEFAULT 0
        )
        """,
        "CREATE INDEX IF NOT EXISTS suggestion_at ON suggestion (time)",
        "CREATE INDEX IF NOT EXISTS suggestion_of ON suggestion (window, shown)",
    ),
)
_COUNTED = (
    "SELECT time, language, mode, model, characters, lines, seconds, accepted FROM suggestion AS s"
    " WHERE time >= ? AND (shown OR accepted OR NOT EXISTS"
    " (SELECT 1 FROM suggestion AS other WHERE other.window = s.window AND other.shown))"
    " ORDER BY time"
)


@dataclass(frozen=True, slots=True)
class Offer:
    """
    A suggestion as it was first offered.

    `window` is an id of the editor's window, made up for its session; `seconds` from request to
    answer; `mode` is `completion.prompt`, or what its `auto` means.
    """

    id: str
    window: str
    language: str
    mode: str
    model: str
    characters: int
    lines: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A suggestion that counts; `accepted` characters of it were taken, `time` is Unix time."""

    time: float
    language: str
    mode: str
    model: str
    characters: int
    lines: int
    seconds: float
    accepted: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Suggestions taken together; shares are None and latencies 0 where there is none."""

    shown: int
    accepted: int
    acceptance: float | None
    characters_shown: int
    characters_saved: int
    p50: float  # seconds
    p95: float

    @classmethod
    def of(cls, seen: Iterable[Seen]) -> "Summary":
        """Sum up."""
        own = list(seen)
        taken = sum(one.accepted > 0 for one in own)
        seconds = sorted(one.seconds for one in own)
        return cls(
            shown=len(own),
            accepted=taken,
            acceptance=taken / len(own) if own else None,
            characters_shown=sum(one.characters for one in own),
            characters_saved=sum(one.accepted for one in own),
            p50=_percentile(seconds, 0.5),
            p95=_percentile(seconds, 0.95),
        )


class Record:
    """
    The record in `path` (mode 0600; created when first used). Any thread and process may call.

    Raises OpencoderError where the file cannot be used.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.path = path or paths.data() / "stats.sqlite3"
        self._clock = clock

    def offered(self, offer: Offer) -> None:
        """Note a suggestion; the second time it changes nothing."""
        values = {**asdict(offer), "time": self._clock()}
        with self._transaction() as database:
            database.execute(
                f"INSERT OR IGNORE INTO suggestion ({', '.join(values)})"
                f" VALUES ({', '.join('?' * len(values))})",
                list(values.values()),
            )

    def shown(self, id: str) -> None:
        """Note that the client says it shows a suggestion."""
        with self._transaction() as database:
            database.execute("UPDATE suggestion SET shown = 1 WHERE id = ?", (id,))

    def accepted(self, id: str, characters: int | None = None) -> None:
        """
        Note that so many characters of a suggestion, from its start, or all of it were taken.

        It may be said again, as more of it is taken. An unknown id is nothing to note.
        """
        with self._transaction() as database:
            database.execute(
                "UPDATE suggestion SET accepted = max(accepted, min(characters, ifnull(?,"
                " characters))) WHERE id = ?",
                (characters, id),
            )

    def prune(self) -> None:
        """Forget what is older than KEPT_DAYS."""
        with self._transaction() as database:
            oldest = self._clock() - KEPT_DAYS * _DAY
            database.execute("DELETE FROM suggestion WHERE time < ?", (oldest,))

    def since(self, days: int) -> list[Seen]:
        """Return what counts of the last `days` days, the oldest first."""
        if not self.path.exists():
            return []
        with self._transaction() as database:
            rows = database.execute(_COUNTED, (self._clock() - days * _DAY,)).fetchall()
        return [Seen(*row) for row in rows]

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, _MIGRATIONS, "record of suggestions")


def by(seen: Iterable[Seen], key: Callable[[Seen], str]) -> dict[str, Summary]:
    """Sum up by something that suggestions have, in sorted order."""
    groups: dict[str, list[Seen]] = {}
    for one in seen:
        groups.setdefault(key(one), []).append(one)
    return {name: Summary.of(groups[name]) for name in sorted(groups)}


def day(seen: Seen) -> str:
    """Return the day of a suggestion, in local time, as `2026-01-31`."""
    return datetime.fromtimestamp(seen.time).date().isoformat()


def report(seen: Iterable[Seen], days: int) -> dict[str, Any]:
    """Return everything for a script; names are JSON's of our commands, times are seconds."""
    own = list(seen)
    keys: dict[str, Callable[[Seen], str]] = {
        "byLanguage": lambda one: one.language,
        "byMode": lambda one: one.mode,
        "byModel": lambda one: one.model,
        "byDay": day,
    }
    groups = {name: by(own, key) for name, key in keys.items()}
    return {
        "days": days,
        **_as_json(Summary.of(own)),
        **{name: {k: _as_json(v) for k, v in group.items()} for name, group in groups.items()},
    }


def _as_json(summary: Summary) -> dict[str, Any]:
    return {
        "shown": summary.shown,
        "accepted": summary.accepted,
        "acceptance": summary.acceptance,
        "charactersShown": summary.characters_shown,
        "charactersSaved": summary.characters_saved,
        "latency": {"p50": summary.p50, "p95": summary.p95},
    }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0
