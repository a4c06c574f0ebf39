"""
A recorded piece of typing: the same keys in the same file, for every engine and every version.

`typing.json` holds the lines of a file of this project as it once was, and the edits that somebody
made in it: [offset, characters deleted, text inserted, whether the next key came before the answer
was read]. An inserted text is about a token. Offsets count characters of the text as it is then.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

Edit = tuple[int, int, str, bool]


@dataclass(frozen=True, slots=True)
class Key:
    """A key press: what then stands left of the cursor, and how the typist went on."""

    prefix: str
    extends: bool  # it only adds to what stood there at the key before
    hasty: bool  # the next key came before the answer was read to its end


@dataclass(frozen=True, slots=True)
class Trace:
    """A text and the edits that are made in it, one after the other."""

    text: str
    edits: tuple[Edit, ...]

    @classmethod
    def recorded(cls) -> "Trace":
        """Read the trace that comes with the package."""
        data = json.loads(files(__package__).joinpath("typing.json").read_text(encoding="utf-8"))
        edits = tuple((at, deleted, text, hasty) for at, deleted, text, hasty in data["edits"])
        return cls("\n".join(data["text"]), edits)

    def replay(self) -> Iterator[Key]:
        """Yield the keys; the first key extends nothing. Raises ValueError for a bad offset."""
        text, cursor = self.text, -1
        for at, deleted, inserted, hasty in self.edits:
            if not 0 <= at <= at + deleted <= len(text):
                raise ValueError(f"an edit at {at} of a text of {len(text)} characters")
            extends = at == cursor and not deleted
            text = text[:at] + inserted + text[at + deleted :]
            cursor = at + len(inserted)
            yield Key(text[:cursor], extends, hasty)
