"""A session as data: steps that can be kept in a file, left out one by one, and played again."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"

Step = list[Any]
"""
* ["send", message]: one message, any JSON value;
* ["body", text]: one message with this body, which need be no JSON;
* ["noise", text]: bytes between messages, as Latin-1;
* ["engine", what, …]: what the engine does next, see `player.Player`;
* ["respond", how]: what the editor says to the server's requests from now on;
* ["turn", count]: let the server run for a moment;
* ["settle"]: wait for every answer, and compare what is known.
"""


@dataclass(frozen=True)
class Case:
    """A session; `end` is how it ends: "exit" or "eof"."""

    steps: list[Step]
    end: str

    def save(self, why: str) -> Path:
        """Write it into the corpus and return its path."""
        steps = ",\n  ".join(map(json.dumps, self.steps))
        data = f'{{\n "why": {json.dumps(why)},\n "end": "{self.end}",\n'
        data += f' "steps": [\n  {steps}\n ]\n}}\n'
        path = CORPUS / f"{hashlib.sha256(data.encode()).hexdigest()[:12]}.json"
        CORPUS.mkdir(exist_ok=True)
        path.write_text(data, encoding="ascii")
        return path

    @classmethod
    def load(cls, path: Path) -> "Case":
        """Read what `save` has written."""
        data = json.loads(path.read_text(encoding="ascii"))
        return cls(data["steps"], data["end"])


def kept() -> list[Path]:
    """Return the files of the corpus."""
    return sorted(CORPUS.glob("*.json"))
