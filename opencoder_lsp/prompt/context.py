"""
Snippets of other files that belong to the code at the cursor: which, and in what order.

Everything here is a function of texts. Who reads files, and when, is `lsp.gathering`: it makes the
`Material`, whatever the cursor is; `related` then chooses among it for a cursor, in a few
milliseconds. Best first come the definitions that the code around the cursor names, then those
that the file names elsewhere, what was edited lately, what is most like the code around the
cursor, and last the heads of whatever else the imported modules define.
"""

import enum
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opencoder_lsp.prompt import python_code, script_code
from opencoder_lsp.prompt.definitions import LONGEST, Definition, Definitions, Import
from opencoder_lsp.prompt.similarity import Chunk, most_similar, near, words
from opencoder_lsp.prompt.snippets import Snippet

MOST = 16  # snippets
_LARGEST = 400_000  # characters of the file that are looked at
_SAME = 0.5  # a file that has this share of the lines of another is a copy
_SHORT = 8  # characters of a line that says nothing
_FEW = 5  # lines that are too few to tell a copy by
_MOST_SIMILAR = 4  # other files of which a part goes along because it is alike
_WORD = re.compile(r"[^\W\d]\w*")
LANGUAGES = {
    "python": python_code,
    **dict.fromkeys(
        ("javascript", "javascriptreact", "typescript", "typescriptreact", "vue", "svelte"),
        script_code,
    ),
}


class Rank(enum.IntEnum):
    """Why a snippet belongs here; the smaller the better."""

    NAMED_HERE = 0
    NAMED = 1
    EDITED = 2
    SIMILAR = 3
    OFFERED = 4


@dataclass(frozen=True, slots=True)
class Option:
    """A snippet that could go along: its rank, and a better one where the cursor is near `name`."""

    snippet: Snippet
    rank: Rank
    name: str = ""
    rank_here: Rank = Rank.NAMED_HERE


@dataclass(frozen=True, slots=True)
class Material:
    """
    What there is for a file, wherever the cursor is.

    `own` are the telling lines of the file itself; `others` the chunks of other files by the path
    that is shown.
    """

    options: tuple[Option, ...] = ()
    others: tuple[tuple[str, tuple[Chunk, ...]], ...] = ()
    own: frozenset[str] = frozenset()


def related(
    material: Material, prefix: str, suffix: str, before: Sequence[Snippet] = ()
) -> tuple[Snippet, ...]:
    """
    Return the snippets for the cursor between two texts, best first.

    None says what the file or a better one says already. `before` is what was chosen before: among
    snippets of a rank those stand first and in their old order, so that a prompt changes as little
    as it must.
    """
    here = near(prefix, suffix)
    names = set(_WORD.findall(here))
    ranked = [
        (option.rank_here if option.name in names else option.rank, option.snippet)
        for option in material.options
    ]
    ranked += [(Rank.SIMILAR, snippet) for snippet in _similar(material, words(here))]
    place = {snippet: number for number, snippet in enumerate(before)}
    ranked.sort(key=lambda one: (one[0], place.get(one[1], len(place))))
    return _unsaid((snippet for _, snippet in ranked), material.own)


def _similar(material: Material, around: frozenset[str]) -> Iterator[Snippet]:
    scored = []
    for path, chunks in material.others:
        best = most_similar(around, chunks)
        if best is not None:
            scored.append((best[0], Snippet(path, best[1].text)))
    scored.sort(key=lambda one: -one[0])
    yield from (snippet for _, snippet in scored[:_MOST_SIMILAR])


def _unsaid(snippets: Iterable[Snippet], own: frozenset[str]) -> tuple[Snippet, ...]:
    """Return the first snippets most of whose lines neither the file nor another one has."""
    said, chosen = set(own), dict[Snippet, None]()
    for snippet in snippets:
        lines = telling_lines(snippet.text)
        if snippet in chosen or len(lines & said) > _SAME * len(lines):
            continue
        said |= lines
        chosen[snippet] = None
        if len(chosen) == MOST:
            break
    return tuple(chosen)


def telling_lines(text: str) -> frozenset[str]:
    """Return the lines of a text, without blanks around them, that could not stand anywhere."""
    stripped = (line.strip() for line in text.splitlines())
    return frozenset(line for line in stripped if len(line) >= _SHORT)


def is_copy(one: frozenset[str], two: frozenset[str]) -> bool:
    """Tell whether two texts with these telling lines are versions of one: each tells the other."""
    fewer = min(len(one), len(two))
    return fewer >= _FEW and len(one & two) > _SAME * fewer


class Names:
    """The names that a file has, and what it takes from others."""

    def __init__(self, language: str, text: str) -> None:
        if len(text) > _LARGEST:
            text = f"{text[: _LARGEST // 2]}\n{text[-_LARGEST // 2 :]}"
        self._text = text
        self._all = set(_WORD.findall(text))
        known = LANGUAGES.get(language)
        self.imports: list[Import] = known.imports(text) if known else []

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def attributes(self, alias: str) -> set[str]:
        """Return the names that stand behind `alias` and a dot."""
        attribute = re.compile(rf"\b{re.escape(alias)}\s*\.\s*([^\W\d]\w*)")
        return set(attribute.findall(self._text))


def options(path: str, found: Definitions, wanted: Import, names: Names) -> Iterator[Option]:
    """Yield what a module at the shown path `path`, with these definitions, has for an import."""
    taken = dict[str, str]()  # what it is called there: what it is called here
    for there, here in wanted.names:
        if there == "*":
            taken |= {name: name for name in found if name in names}
        else:
            taken[there] = here
    if wanted.alias:
        attributes = names.attributes(wanted.alias)
        taken |= {name: name for name in found if name in attributes}
        if wanted.alias in found:  # the default export of a file
            taken[wanted.alias] = wanted.alias
    for there, here in taken.items():
        if there in found:
            yield Option(Snippet(path, found[there].text), Rank.NAMED, here)
    if wanted.alias or ("*", "*") in wanted.names:
        heads = _heads(found, taken)
        if heads:
            name = wanted.alias.partition(".")[0]
            yield Option(Snippet(path, heads), Rank.OFFERED, name, Rank.NAMED)


def _heads(found: Mapping[str, Definition], without: Collection[str]) -> str:
    """Return the heads of public definitions, as many as a snippet may be long."""
    text = ""
    for name, one in found.items():
        if name.startswith("_") or name in without:
            continue
        if len(text) + len(one.head) > LONGEST:
            break
        text += one.head
    return text
