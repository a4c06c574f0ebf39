"""The answers of a quality run, kept in a file so that a run which was cut off can go on."""

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from opencoder_lsp.errors import OpencoderError


@dataclass(frozen=True, slots=True)
class Result:
    """
    One answer: `verdict.Verdict`'s fields, what was shown, and what it took.

    `seconds` from asking to the answer; tokens `computed` (of the prompt and the answer) and
    `generated`, None where the engine is not the benchmark's own; `likelihood` is the logarithm of
    the probability of the true text from where the prompt ends, None where the engine was not
    asked.
    """

    mode: str
    hole: str
    text: str
    shown: bool
    exact: bool
    similarity: float
    parses: bool | None
    unbroken: bool | None
    repeats: bool
    seconds: float
    computed: float | None = None
    generated: float | None = None
    likelihood: float | None = None


_RESULTS = TypeAdapter(list[Result])


class Results:
    """All answers, in the order in which they came; `path` None keeps them in memory only."""

    def __init__(self, path: Path | None, run: Mapping[str, Any]) -> None:
        """
        Read what `path` has of the same run.

        `run` is JSON that says what is measured. Raises OpencoderError where the file is of another
        run, or none of ours.
        """
        self._path = path
        self._run = run
        self._results: dict[tuple[str, str], Result] = {}
        self.figures: Mapping[str, Any] = {}  # of all that is there, for whoever reads the file
        if path is not None and path.exists():
            for result in _read(path, run):
                self.add(result)

    def __iter__(self) -> Iterator[Result]:
        """Iterate over the answers."""
        return iter(self._results.values())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._results)

    def has(self, mode: str, hole: str) -> bool:
        """Whether a mode's answer at a hole is there."""
        return (mode, hole) in self._results

    def add(self, result: Result) -> None:
        """Keep an answer."""
        self._results[result.mode, result.hole] = result

    def save(self) -> None:
        """Write everything to the file, which is at no time half written."""
        if self._path is None:
            return
        data = {
            "run": self._run,
            "figures": self.figures,
            "results": [dataclasses.asdict(result) for result in self],
        }
        part = self._path.with_name(self._path.name + ".part")
        try:
            part.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
            os.replace(part, self._path)
        except OSError as error:
            raise OpencoderError(f"cannot write {self._path}: {error.strerror}") from error


def _read(path: Path, run: Mapping[str, Any]) -> list[Result]:
    try:
        data = json.loads(path.read_bytes())
        results = _RESULTS.validate_python(data["results"])
        same = data["run"] == json.loads(json.dumps(run))
    except OSError as error:
        raise OpencoderError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, ValidationError):
        raise OpencoderError(
            f"{path} holds no results of bench quality; name another file"
        ) from None
    if not same:
        raise OpencoderError(
            f"{path} holds another run (other code, holes, seed, model or settings); name another "
            "file, or move it away"
        )
    return results
