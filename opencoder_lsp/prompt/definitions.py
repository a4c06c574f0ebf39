"""What a file takes from others, and what there is to say of a name that it takes."""

from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 2_000  # characters of what is said of one name
MOST_IMPORTS = 200  # of one file
MOST_DEFINITIONS = 500  # of one file


@dataclass(frozen=True, slots=True)
class Import:
    """
    One module that a file takes something from.

    `names` are pairs of what a name is there and here; a lone `*` for all of them. `alias` is what
    the module itself is called here, "" where it is not.
    """

    module: str
    names: tuple[tuple[str, str], ...] = ()
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """What there is to say of a name: all that is worth it, and in one line or a few."""

    text: str
    head: str


Definitions = dict[str, Definition]


def definition(lines: Iterable[str], head: Iterable[str]) -> Definition:
    """Make a definition from lines without line ends, neither of them too long."""
    return Definition(_limited(lines), _limited(head))


def _limited(lines: Iterable[str]) -> str:
    kept, room = [], LONGEST
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line.rstrip() + "\n")
    return "".join(kept)
