"""
Reading what belongs to a file from others: what imports lead to, and what is open in the editor.

It runs in a thread, beside the requests. Nothing of the file itself or of a copy of it is taken,
nothing that `may_send` refuses, nothing binary or huge; what has gone meanwhile is passed over.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from opencoder_lsp.prompt.context import (
    LANGUAGES,
    Material,
    Names,
    Option,
    Rank,
    is_copy,
    options,
    telling_lines,
)
from opencoder_lsp.prompt.definitions import Definitions, Import
from opencoder_lsp.prompt.files import Stamp, read_text, resolved, stamp_of
from opencoder_lsp.prompt.privacy import may_send
from opencoder_lsp.prompt.similarity import Chunk, chunks
from opencoder_lsp.prompt.snippets import Snippet
from opencoder_lsp.settings import Settings

LARGEST = 400_000  # characters or bytes of a file that is looked at
_MOST_FILES = 64  # read for one file
_MOST_ALIKE = 8  # open documents that are searched for what is like the code at the cursor
_DEEPEST = 3  # modules that a name is followed through
_ABOVE, _BELOW = 3, 8  # lines around an edit that go along


@dataclass(frozen=True, slots=True)
class OpenText:
    """
    A document that is open in the editor.

    `path` is its file's, "" if it was never saved; `shown` is the path for a prompt. `edits` are
    the first and last line of what was edited lately, the newest first.
    """

    path: str
    shown: str
    language: str
    text: str
    edits: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """For which file to gather what: `others` are open, the one used last first."""

    file: OpenText
    others: tuple[OpenText, ...]
    folders: tuple[str, ...]
    settings: Settings


@dataclass(frozen=True, slots=True)
class _Module:
    """What is known of a text: it is read from the disk or open."""

    definitions: Definitions
    imports: tuple[Import, ...]
    lines: frozenset[str]


def gather(job: Job) -> Material:
    """Return what there is for a file; reads files, so it takes some milliseconds or more."""
    return _Gathering(job).material()


class _Gathering:
    """One job; what it finds is remembered for the next by the functions below."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._own = telling_lines(job.file.text[:LARGEST])
        self._own_path = resolved(job.file.path) if job.file.path else ""
        own = stamp_of(job.file.path) if job.file.path else None
        self._own_inode = own and (own.device, own.inode)
        self._others = [other for other in job.others if self._is_wanted(other)]
        self._open = {other.path: other for other in self._others if other.path}
        self._read = 0

    def material(self) -> Material:
        file = self._job.file
        names = Names(file.language, file.text)
        found = list[Option]()
        for wanted in names.imports:
            found += self._imported(wanted, file.path, names, 0)
        for other in self._others:
            found += [Option(snippet, Rank.EDITED, "") for snippet in _edited(other)]
        same = [other for other in self._others if other.language == file.language]
        alike = tuple((other.shown, _chunks(other.text)) for other in same[:_MOST_ALIKE])
        return Material(tuple(dict.fromkeys(found)), alike, self._own)

    def _is_wanted(self, other: OpenText) -> bool:
        if len(other.text) > LARGEST or "\0" in other.text:
            return False
        if other.path and self._is_own(other.path):
            return False
        if is_copy(self._own, _lines(other.text)):
            return False
        return may_send(other.path, self._job.settings, self._job.folders, gathered=True)

    def _is_own(self, path: str) -> bool:
        """Whether a path leads to the file itself, by whatever name."""
        if resolved(path) == self._own_path:
            return True
        stamp = stamp_of(path)
        return stamp is not None and (stamp.device, stamp.inode) == self._own_inode

    def _imported(
        self, wanted: Import, importer: str, names: Names, depth: int
    ) -> Iterator[Option]:
        """Yield what an import of the file `importer` brings, also by way of other modules."""
        path, module = self._find(wanted.module, importer)
        if module is not None:
            yield from options(self._shown(path), module.definitions, wanted, names)
        if depth >= _DEEPEST or self._read >= _MOST_FILES:
            return
        for there, here in wanted.names:
            if there == "*" or (module is not None and there in module.definitions):
                continue
            inner = wanted.module + ("" if wanted.module.endswith(".") else ".") + there
            below, submodule = self._find(inner, importer)
            if submodule is not None:
                whole = Import(inner, (), here)
                yield from options(self._shown(below), submodule.definitions, whole, names)
            elif module is not None:
                for passed_on in _passing_on(module, there, here):
                    yield from self._imported(passed_on, path, names, depth + 1)

    def _find(self, module: str, importer: str) -> tuple[str, _Module | None]:
        """Return the file of a module of the workspace, and what is in it."""
        language = self._job.file.language
        known = LANGUAGES.get(language)
        if known is None or not importer:
            return "", None
        for path in known.candidates(module, importer, self._job.folders):
            opened = self._open.get(path)
            if opened is not None:
                return path, _parsed(opened.text, language)
            stamp = stamp_of(path)
            if stamp is None or stamp.size > LARGEST or self._read >= _MOST_FILES:
                continue
            if not self._may_read(path):
                return "", None
            self._read += 1
            found = _module(path, stamp, language)
            # A module with the file's own text would tell what is to be written.
            if found is None or is_copy(self._own, found.lines):
                return "", None
            return path, found
        return "", None

    def _may_read(self, path: str) -> bool:
        folders = self._job.folders
        if not folders or self._is_own(path):
            return False
        return may_send(path, self._job.settings, folders, gathered=True)

    def _shown(self, path: str) -> str:
        """Return a path as a prompt shows it: below its workspace folder."""
        for folder in self._job.folders:
            if path.startswith(folder.rstrip("/") + "/"):
                return os.path.relpath(path, folder)
        return os.path.basename(path)


def _passing_on(module: _Module, there: str, here: str) -> Iterator[Import]:
    """Yield the imports by which a module may have a name that it does not define."""
    for own in module.imports:
        for original, local in own.names:
            if local == there:
                yield Import(own.module, ((original, here),))
            elif original == "*":
                yield Import(own.module, ((there, here),))


def _edited(other: OpenText) -> Iterator[Snippet]:
    lines = other.text.splitlines()
    for first, last in other.edits:
        shown = lines[max(0, first - _ABOVE) : min(last, first + _BELOW) + _BELOW]
        if any(line.strip() for line in shown):
            yield Snippet(other.shown, "".join(f"{line[:400]}\n" for line in shown))


@lru_cache(256)
def _module(path: str, stamp: Stamp, language: str) -> _Module | None:
    """Read and parse a file; the stamp is what tells that it must be read anew."""
    text = read_text(path, LARGEST)
    return None if text is None else _parse(text, language)


@lru_cache(32)
def _parsed(text: str, language: str) -> _Module:
    return _parse(text, language)


def _parse(text: str, language: str) -> _Module:
    known = LANGUAGES[language]
    return _Module(known.definitions(text), tuple(known.imports(text)), telling_lines(text))


@lru_cache(64)
def _chunks(text: str) -> tuple[Chunk, ...]:
    return chunks(text)


@lru_cache(64)
def _lines(text: str) -> frozenset[str]:
    return telling_lines(text)
