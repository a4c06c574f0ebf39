"""
Comments, strings and brackets of a language, as far as a suggestion's end depends on them.

It is no parser: a few marks per language tell code from what is no code. What is unknown has
brackets and double quotes and nothing else. Reading is one pass of a regular expression.
"""

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache

PAIRS = {")": "(", "]": "[", "}": "{"}
_OPENING = frozenset(PAIRS.values())
WINDOW = 200_000  # characters left of a line that are read to know what is open where it begins
# A quote behind a letter is an apostrophe, unless these letters make it a string's beginning.
# (Each pattern begins with its mark, not with a look behind: the engine then searches for marks.)
_NO_APOSTROPHE = r"(?:(?<!\w')|(?<=(?<!\w)[bflrtuBFLRTU]')|(?<=(?<!\w)[bfrtuBFRTU][rbf8RBF]'))"


@dataclass(frozen=True)
class Syntax:
    """
    The marks of a language.

    `comments` run to the end of the line, `blocks` are pairs. Strings in `quotes` end on their
    line, those in `long` need not; an escaping backslash counts in both. With `characters`, single
    quotes hold one character, and alone mean something else (Rust's lifetimes).
    """

    comments: tuple[str, ...] = ()
    blocks: tuple[tuple[str, str], ...] = ()
    quotes: str = '"'
    long: tuple[str, ...] = ()
    characters: bool = False
    tokens: re.Pattern[str] = field(init=False, repr=False, compare=False)
    shades: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shades = "|".join(self._shades())
        object.__setattr__(self, "shades", re.compile(shades, re.DOTALL))
        object.__setattr__(self, "tokens", re.compile(rf"{shades}|[()\[\]{{}}]", re.DOTALL))

    def _shades(self) -> list[str]:
        """Return a pattern for each thing that is no code; its only group is what ends it."""
        patterns = [
            rf"{re.escape(begin)}.*?(?:({re.escape(end)})|\Z)" for begin, end in self.blocks
        ]
        patterns += [rf"{q}(?:\\.|\\\Z|[^\\])*?(?:({q})|\Z)" for q in self.long]
        patterns += [rf"{re.escape(mark)}[^\n]*" for mark in self.comments]
        for quote in self.quotes:
            string = _NO_APOSTROPHE if quote == "'" else ""
            patterns.append(rf"{quote}{string}(?:\\.|\\\Z|[^{quote}\\\n])*+({quote})?")
        if self.characters:
            patterns.append(r"'(?:\\[^'\n]*|[^'\\\n])(')|'\\(')")
        return patterns

    def opener(self, shade: str) -> str:
        """Return what a comment or string begins with."""
        marks = (*(begin for begin, _ in self.blocks), *self.long, *self.comments, *self.quotes)
        return next((mark for mark in marks if shade.startswith(mark)), "")


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What is open at the end of a text.

    `inside` is the mark of the comment or string that it ends in, "" in code; `brackets` are the
    open ones, outermost first; `extra` says where closing brackets stand that close none of them.
    """

    inside: str
    brackets: str
    extra: tuple[int, ...]


_C = Syntax(("//",), (("/*", "*/"),), '"', characters=True)
_SCRIPT = Syntax(("//",), (("/*", "*/"),), "\"'", ("`",))
_HASH = Syntax(("#",), (), "\"'")
_MARKUP = Syntax((), (("<!--", "-->"),), '"')
_PLAIN = Syntax()
_PYTHON = Syntax(("#",), (), "\"'", ('"""', "'''"))
_LANGUAGES = {
    "python": _PYTHON,
    "c cpp objective-c csharp java kotlin scala swift rust dart groovy proto": _C,
    "go": Syntax(("//",), (("/*", "*/"),), '"', ("`",), characters=True),
    "javascript javascriptreact typescript typescriptreact jsonc php svelte vue": _SCRIPT,
    "css scss less": Syntax((), (("/*", "*/"),), "\"'"),
    "shellscript sh bash zsh makefile make yaml toml ruby perl r elixir dockerfile cmake"
    " terraform julia coffeescript ini": _HASH,
    "sql lua haskell elm": Syntax(("--",), (), "\"'"),
    "html xml xhtml handlebars": _MARKUP,
}
_SYNTAXES = {name: syntax for names, syntax in _LANGUAGES.items() for name in names.split()}
_PROSE = (
    "markdown rmd quarto mdx plaintext text restructuredtext rst latex tex asciidoc org html xml"
    " xhtml git-commit gitcommit"
)
# Where words may follow words: what a model says there is text.
PROSE = frozenset(_PROSE.split())


@cache
def syntax_of(language: str) -> Syntax:
    """Return the marks of a language, given LSP's identifier for it."""
    return _SYNTAXES.get(language.lower(), _PLAIN)


def read(text: str, syntax: Syntax, brackets: str = "") -> Reading:
    """Read a text that begins in code, with these brackets open."""
    opened, extra, inside = list(brackets), list[int](), ""
    for match in syntax.tokens.finditer(text):
        token = match[0]
        if token in PAIRS:
            if opened and opened[-1] == PAIRS[token]:
                opened.pop()
            else:
                extra.append(match.start())
        elif token in _OPENING:
            opened.append(token)
        elif match.lastindex is None and match.end() == len(text):
            inside = syntax.opener(token)
    return Reading(inside, "".join(opened), tuple(extra))


def carried(reading: Reading, line: str, syntax: Syntax) -> str:
    """Return the mark of what goes on in the line below one that was read."""
    mark = reading.inside
    if mark in syntax.long or any(mark == begin for begin, _ in syntax.blocks):
        return mark
    escaped = mark in syntax.quotes and (len(line) - len(line.rstrip("\\"))) % 2
    return mark if escaped else ""


@lru_cache(maxsize=4)
def open_at_end(above: str, syntax: Syntax) -> str:
    """
    Return the mark of the comment or string that whole lines of code leave open.

    What was read lately is remembered: while somebody types in a line, nothing above it changes.
    """
    start, end = 0, len(above)
    if end > WINDOW:
        start = above.find("\n", end - WINDOW) + 1 or end - WINDOW
    for match in syntax.shades.finditer(above, start):
        if match.end() == end and match.lastindex is None:
            return syntax.opener(match[0])
    return ""
