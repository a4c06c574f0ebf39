"""
The patterns of gitignore(5), each matched against one file or folder at a time.

Matching takes time in proportion to pattern and path, whatever a workspace that somebody sent has
in its lists. Libraries that make one regular expression of a pattern, for a file and all that is
below a folder, cannot tell what a pattern takes back from what is in it.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate

# As git is set up by default.
_FLAGS = re.IGNORECASE if sys.platform == "darwin" else 0
_ANY = re.compile(translate("*"))


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of a list; a None among `names` stands for any number of folders."""

    names: tuple[re.Pattern[str] | None, ...]
    only_folders: bool
    takes_back: bool

    def matches(self, names: Sequence[str], is_folder: bool) -> bool:
        """Tell whether this is about the file or folder at this path below the list's folder."""
        if self.only_folders and not is_folder:
            return False
        if len(self.names) == 2 and self.names[0] is None:  # a name without a slash
            last = self.names[1]
            return last is None or last.match(names[-1]) is not None
        states = self._closed({0})
        for name in names:
            reached = set[int]()
            for state in states:
                own = self.names[state] if state < len(self.names) else _NOTHING
                if own is None:
                    reached.add(state)
                elif own.match(name):
                    reached.add(state + 1)
            states = self._closed(reached)
        return len(self.names) in states

    def _closed(self, states: set[int]) -> set[int]:
        """Add what is reached without a name: any number of folders may be none."""
        for state in sorted(states):
            while state < len(self.names) and self.names[state] is None:
                state += 1
                states.add(state)
        return states


_NOTHING = re.compile(r"(?!)")


def patterns(lines: Iterable[str]) -> tuple[Pattern, ...]:
    """Read the lines of a list."""
    return tuple(pattern for line in lines if (pattern := _pattern(line)) is not None)


def verdict(among: Sequence[Pattern], names: Sequence[str], is_folder: bool) -> bool | None:
    """Tell whether a list leaves out (True) or takes back (False) a path, or says nothing of it."""
    for pattern in reversed(among):
        if pattern.matches(names, is_folder):
            return not pattern.takes_back
    return None


def _pattern(line: str) -> Pattern | None:
    if line.startswith("#"):
        return None
    line = re.sub(r"(?<!\\) +$", "", line)
    takes_back = line.startswith("!")
    body = line.removeprefix("!")
    parts = body.rstrip("/").removeprefix("/").split("/")
    if not any(parts):
        return None
    names = [None if part == "**" else _name(part) for part in parts]
    if "/" not in body.rstrip("/"):
        names = [None, names[0] or _ANY]
    elif names[-1] is None:  # what is in a folder, not the folder
        names.append(_ANY)
    return Pattern(tuple(names), body.endswith("/"), takes_back)


def _name(part: str) -> re.Pattern[str]:
    """Return what matches one name, from a pattern without slashes."""
    part = re.sub(r"\[\[:\w+:\][^\]]*\]", "?", part)  # a class of characters: more than it says
    part = re.sub(r"\\(.)", lambda match: f"[{match[1]}]", part)
    return re.compile(translate(part.replace("[^", "[!")), _FLAGS)
