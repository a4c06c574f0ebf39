"""
What of a suggestion is shown at a place, and what of the cursor's line it replaces.

`Ending` has cut it where it ends; here it is made to fit between what stands left and right of the
cursor, which may have been typed since. Text left of the cursor never changes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from opencoder_lsp.lsp.cursor import Cursor, blanks
from opencoder_lsp.lsp.indentation import repaired
from opencoder_lsp.lsp.parsing import spoils
from opencoder_lsp.lsp.syntax import Reading, read
from opencoder_lsp.lsp.unwanted import clean, repeats_below
from opencoder_lsp.prompt.completion import Place

_ATTEMPTS = 16  # lines that are dropped one after the other until the rest is whole
_SHORTEST_OVERLAP = 3  # characters
_WORD = re.compile(r"\w+\Z")
_BLOCK_BRACKET = re.compile(r".*[\w)]\s*\{", re.DOTALL)
_DOCSTRINGS = ('"""', "'''")


@dataclass(frozen=True, slots=True)
class Insertion:
    """
    A text (LF line ends) to insert at the cursor.

    It takes the place of the `replaced` characters right of the cursor, all of them on its line and
    found again in the text in the same order, as editors want it of ghost text.
    """

    text: str
    replaced: int = 0


def finish(place: Place, text: str, *, partial: bool = False) -> Insertion | None:
    """
    Return what to show of `text` at a place, None where nothing is worth it.

    With `partial` there is more to come: then nothing is held against the text for what it has not
    closed yet.
    """
    cursor = Cursor.of(place)
    text, _ = clean(text.replace("\r\n", "\n"), place)
    text = repaired(_without_said(text, cursor), cursor)
    text = _without_repeated(text, cursor, partial)
    for shorter in _candidates(text, cursor, partial):
        insertion = _fitted(shorter, cursor)
        if insertion is None:
            continue
        if partial or (_is_whole(insertion, cursor) and not _spoils(insertion, cursor)):
            return insertion
    return None


def _spoils(insertion: Insertion, cursor: Cursor) -> bool:
    is_python = cursor.place.language.lower() == "python"
    return is_python and spoils(cursor.place, insertion.text, insertion.replaced)


def _without_said(text: str, cursor: Cursor) -> str:
    """Return `text` without a beginning that is written left of the cursor already."""
    line, start = cursor.line.strip(), text.lstrip()
    if len(line.split()) > 1 and start.startswith(line):
        return start[len(line) :]
    word = _WORD.search(cursor.line[-80:])
    if word and len(word[0]) >= _SHORTEST_OVERLAP and text.startswith(word[0]):
        written = re.match(r"\w+", text)
        twice = word[0] + (written[0] if written else "")
        if twice not in cursor.place.prefix and twice not in cursor.place.suffix:
            return text[len(word[0]) :]
    return text


def _without_repeated(text: str, cursor: Cursor, partial: bool) -> str:
    """Return `text` up to the line that the file goes on with."""
    lines = text.split("\n")
    for number, line in enumerate(lines[: len(lines) - partial]):
        if repeats_below(cursor.line + line if number == 0 else line, cursor):
            return "\n".join(lines[:number])
    return text


def _candidates(text: str, cursor: Cursor, partial: bool) -> Iterator[str]:
    """Yield `text` and, if it is not to be shown, less and less of it."""
    mark = cursor.reading(text).inside
    if mark in _DOCSTRINGS and cursor.left.inside != mark and not partial:
        yield _closed(text, mark, cursor)
    lines = text.split("\n")
    for count in range(len(lines), max(0, len(lines) - _ATTEMPTS), -1):
        if count == len(lines) or lines[count - 1].strip():
            yield "\n".join(lines[:count])


def _closed(text: str, mark: str, cursor: Cursor) -> str:
    """Return `text`, which ends within a docstring, with that closed."""
    begun = text.rstrip()
    start = begun.rfind(mark)
    if "\n" not in begun[start:]:
        return begun if start + len(mark) == len(begun) else begun + mark
    line = begun[begun.rfind("\n", 0, start) + 1 : start]
    indentation = blanks(line) if "\n" in begun[:start] else blanks(cursor.line + line)
    return f"{begun}\n{indentation}{mark}"


def _fitted(text: str, cursor: Cursor) -> Insertion | None:
    """Return `text` as it goes with what is right of the cursor."""
    if not text.strip():
        return None
    if not cursor.rest.strip():
        return Insertion(text.rstrip())
    fitted = _replacing(text.rstrip(), cursor) if cursor.is_open else _beside(text, cursor)
    if fitted is None or not fitted.text.strip():
        return None
    return None if fitted.text == cursor.rest[: fitted.replaced] else fitted


def _replacing(text: str, cursor: Cursor) -> Insertion:
    """
    Return `text` in front of brackets and quotes that an editor may have closed by itself.

    It replaces as few of them as make it right: as many as it closes itself.
    """
    rest, base, found = cursor.rest, cursor.reading(cursor.rest), None
    opens = text[-1] in "([{"  # what is closed in a line below, not here
    if opens and _is_within(rest, text) and not _is_worse(cursor.reading(text), base, ""):
        return Insertion(text, len(rest))
    for replaced in range(len(rest) + 1):
        if not _is_within(rest[:replaced], text):
            break
        if not _is_worse(cursor.reading(text + rest[replaced:]), base, rest[replaced:]):
            found = replaced
            break
    if found is None:
        return _up_to_fault(text, cursor)
    opened = cursor.reading(text + rest[found:]).brackets
    for end in range(len(rest), found, -1):  # what no reading tells: `;`, `>`, quotes in threes
        now = cursor.reading(text + rest[end:])
        worse = _is_worse(now, base, rest[end:]) or len(now.brackets) > len(opened)
        if text.endswith(rest[found:end]) and not worse:
            return Insertion(text, end)
    opener = cursor.line.rstrip()[-1:]
    if "\n" in text and found == 0 and opener and opener in "([{":
        text = f"{text}\n{blanks(cursor.line)}"  # what closes the block stands on its own line
    return Insertion(text, found)


def _beside(text: str, cursor: Cursor) -> Insertion | None:
    """Return the first line of `text` in front of code."""
    rest, text = cursor.rest, text.split("\n", 1)[0]
    end = _overlap(text, rest)
    if end is not None:
        kept = text[:end].rstrip() if rest[0].isspace() else text[:end]
        return Insertion(kept)
    if "".join(rest.split()).startswith("".join(text.split())):
        return None
    if text.rstrip()[-1:] == rest[0] and rest[0] in ",;:":
        text = text.rstrip()[:-1]
    glued = _in_word(cursor.line[-1:]) or _in_word(text[-1:])
    if _is_within(rest, text.rstrip()) and text.rstrip()[-1] == rest[-1]:
        with_rest, without = cursor.reading(rest), cursor.reading(text.rstrip())
        if not _is_worse(without, with_rest, "") and without.brackets == with_rest.brackets:
            return Insertion(text.rstrip(), len(rest))
    if glued and _in_word(rest[0]):
        return None
    if _is_worse(cursor.reading(text + rest), cursor.reading(rest), rest):
        return _up_to_fault(text, cursor)
    return Insertion(text)


def _up_to_fault(text: str, cursor: Cursor) -> Insertion:
    """Return `text` up to the bracket that closes what is closed right of the cursor."""
    extra = read(text, cursor.syntax).extra
    return Insertion(text[: extra[0]] if extra and not cursor.left.inside else "")


def _overlap(text: str, rest: str) -> int | None:
    """Return where in `text` the whole rest of the line begins, blanks aside; None if nowhere."""
    end = len(text)
    for character in reversed("".join(rest.split())):
        while end > 0 and text[end - 1].isspace():
            end -= 1
        if end == 0 or text[end - 1] != character:
            return None
        end -= 1
    return end


def _is_within(characters: str, text: str) -> bool:
    """Return whether the characters stand in `text` in this order, others between them."""
    remaining = iter(text)
    return all(character in remaining for character in characters)


def _is_worse(now: Reading, before: Reading, left: str) -> bool:
    """Return whether a line has more faults than before; `left` is still right of the cursor."""
    if len(now.extra) > len(before.extra):
        return True
    if now.inside in ("", before.inside):
        return False
    return bool(left.strip()) or not _is_comment(now.inside)


def _is_comment(mark: str) -> bool:
    return mark in ("#", "//", "--")


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_whole(insertion: Insertion, cursor: Cursor) -> bool:
    """Return whether nothing stays open that was not, but for what a line naturally opens."""
    left = cursor.rest[insertion.replaced :]
    now, before = cursor.reading(insertion.text + left), cursor.reading(cursor.rest)
    if now.inside not in ("", before.inside) and not _is_comment(now.inside):
        return False
    opened = now.brackets[len(before.brackets) :]
    if not opened:
        return True
    if left.strip():
        return False
    blocks = set(opened) == {"{"} and cursor.place.language.lower() != "python"
    if blocks and ("\n" in insertion.text or _BLOCK_BRACKET.fullmatch(insertion.text)):
        return True
    return not cursor.is_blank and "\n" not in insertion.text and insertion.text[-1] in "([{"
