"""
Where a suggestion ends: looked at while it is made, so that the engine stops as soon as it can.

* Text on the cursor's line that is more than closing punctuation: at the end of the line.
* Else at the closing fence of the code block that the prompt opened; at what the file goes on with
  anyway; at a line that leaves the block of the cursor's line, or that comes back to its
  indentation after a block was written (a closing bracket still belongs to it); at a blank line
  with nothing of the block behind it.
* An auto-closed bracket or quote right of the cursor is not closed a second time. Brackets inside
  a string that begins and ends on one line do not count, nor does a quote behind a backslash.
"""

import re

from opencoder_lsp.prompt.completion import Place

_CLOSING = re.compile(r"[\s)\]}>\"'`;:,]*")
_CLOSING_LINE = re.compile(r"\s*[)\]}]+[\s)\]};,]*|\s*(end|fi|done|esac)\s*;?\s*")
_GOES_ON = re.compile(r"\s*([)\]}]|(else|elif|except|finally|catch|rescue|case|when)\b)")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_QUOTES = "\"'`"
# What may stand before the quote of a string; behind any other word it is an apostrophe.
_STRING_PREFIXES = frozenset({"r", "b", "f", "u", "l", "t", "br", "rb", "fr", "rf", "u8"})
_WORD = re.compile(r"\w+\Z")
_LINE_BREAK = re.compile(r"\r\n?|\n")
_REACH = 4000  # characters right of the cursor that are looked at
_TAB = 4  # columns of a tab, where indentations are compared
_FENCE = "```"
_MARKDOWN = frozenset({"markdown", "rmd", "quarto", "mdx"})


class Ending:
    """The rules for one place. `Ending(place).cut(text)` is what of `text` is to be shown."""

    def __init__(self, place: Place) -> None:
        self._line = place.prefix[max(place.prefix.rfind("\n"), place.prefix.rfind("\r")) + 1 :]
        rest, *below = _LINE_BREAK.split(place.suffix[:_REACH])
        self._rest = rest.strip()
        self._next = next((line.strip() for line in below if line.strip()), None)
        self._single = not _CLOSING.fullmatch(self._rest)
        self._fence = _FENCE
        if place.language in _MARKDOWN:  # blocks are part of the text there: the prompt's is longer
            runs = re.findall("`{3,}", place.prefix + place.suffix)
            self._fence = "`" * max([3, *(len(run) + 1 for run in runs)])

    def cut(self, text: str, *, final: bool = False, truncated: bool = False) -> tuple[str, bool]:
        """
        Return what of `text` (LF line ends) is to be shown, and whether no more can follow.

        `final` says that nothing more comes, `truncated` that the token limit cut it off: then an
        unfinished last line is dropped, unless it is the only one.
        """
        lines = text.split("\n")
        if truncated and len(lines) > 1 and not self._single:
            lines.pop()
        shown = "\n".join(lines)
        if self._single:
            shown, done = lines[0], len(lines) > 1
            if self._rest and shown.rstrip().endswith(self._rest):
                shown = shown.rstrip()[: -len(self._rest)]
        else:
            count, done = self._count(lines, final)
            shown = "\n".join(lines[:count])
            closed = self._closed_at(shown, whole=final or done)
            if closed is not None:
                return shown[:closed], True
        if final or done:
            shown = shown if self._rest else shown.rstrip()
        return (shown if shown.strip() else ""), done

    def _count(self, lines: list[str], final: bool) -> tuple[int, bool]:
        """Return how many lines belong to the suggestion, and whether one more ended it."""
        base = _indent(self._line if self._line.strip() else self._line + lines[0])
        inside = False  # deeper than that
        for number, line in enumerate(lines):
            whole = final or number + 1 < len(lines)
            if line.lstrip().startswith(self._fence):
                return _without_blank(lines, number), True
            if number == 0 or not line.strip():
                if whole and number > 1 and not lines[number - 1].strip():
                    return _without_blank(lines, number), True
                continue
            deep = _indent(line)
            blank_before = number > 1 and not lines[number - 1].strip()
            if whole and line.strip() == self._next:
                return _without_blank(lines, number), True
            if deep < base or (blank_before and deep <= base):
                return _without_blank(lines, number), True
            if deep == base and inside:
                if whole and _CLOSING_LINE.fullmatch(line):
                    return number + 1, True
                if whole and not _GOES_ON.match(line):
                    return number, True
            inside = inside or deep > base
        return len(lines), False

    def _closed_at(self, text: str, whole: bool) -> int | None:
        """
        Return where `text` closes the bracket or quote that is closed right of the cursor.

        `whole` says that its last line is complete: before that, a quote on it may yet find its
        partner, and what is behind the quote is not decided.
        """
        closer = self._rest[:1]
        if closer and closer in _QUOTES:
            return _unescaped(text, closer, 0, len(text))
        if closer not in _PAIRS:
            return None
        line = self._line if len(self._line) <= _REACH else ""
        code, at, depth = line + text, 0, 0
        while at < len(code):
            if code[at] in _QUOTES and not _is_apostrophe(code, at):
                line_break = code.find("\n", at)
                end = _unescaped(
                    code, code[at], at + 1, len(code) if line_break < 0 else line_break
                )
                reaches = at < len(line) and (end is None or end >= len(line))
                # A string that goes on right of the cursor has that bracket in it: it counts.
                if not (reaches and code[at] in self._rest):
                    if end is None and line_break < 0 and not whole:
                        return None
                    at = at if end is None else end
            elif at >= len(line):
                depth += (code[at] == _PAIRS[closer]) - (code[at] == closer)
                if depth < 0:
                    return at - len(line)
            at += 1
        return None


def _unescaped(text: str, character: str, start: int, end: int) -> int | None:
    """Return where `character` first stands in `text[start:end]` without a backslash before it."""
    at = start
    while at < end:
        if text[at] == character:
            return at
        at += 2 if text[at] == "\\" else 1
    return None


def _is_apostrophe(text: str, at: int) -> bool:
    """Return whether the quote there is part of a word, as in "don't", and opens no string."""
    word = _WORD.search(text, max(0, at - 4), at)
    return text[at] == "'" and word is not None and word[0].lower() not in _STRING_PREFIXES


def _indent(line: str) -> int:
    """Return how many columns of blanks a line begins with."""
    blanks = line[: len(line) - len(line.lstrip(" \t"))]
    return len(blanks.expandtabs(_TAB))


def _without_blank(lines: list[str], count: int) -> int:
    while count > 1 and not lines[count - 1].strip():
        count -= 1
    return count
