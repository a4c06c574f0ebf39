"""Token healing: which text left of the cursor the model writes anew, and taking it off again."""

from collections.abc import Callable

_LONGEST_BLANKS = 64
_LONGEST_WORD = 40
# How many characters `heal` takes at most: no fewer than the tokens that they are.
LONGEST = _LONGEST_BLANKS + _LONGEST_WORD


def heal(prefix: str) -> tuple[str, str]:
    """
    Split the text left of the cursor into what the prompt holds and what the answer begins with.

    The latter, with LF line ends, is the partial word and the blanks and line ends in front of
    it: a vocabulary of code joins a line end with the indentation that follows.
    """
    start = _run_start(prefix, len(prefix), _LONGEST_WORD, _in_word)
    if start == 0 or not _in_word(prefix[start - 1]):
        start = _run_start(prefix, start, _LONGEST_BLANKS, _is_blank)
    return prefix[:start], prefix[start:].replace("\r\n", "\n")


class ForcedPrefix:
    """Takes the text with which an answer had to begin off it, piece by piece."""

    def __init__(self, prefix: str) -> None:
        self._awaited = prefix
        self._failed = False

    def without(self, piece: str) -> str | None:
        """Return what of a piece is behind the prefix; None once the answer had another one."""
        common = min(len(self._awaited), len(piece))
        self._failed = self._failed or self._awaited[:common] != piece[:common]
        self._awaited = self._awaited[common:]
        return None if self._failed else piece[common:]


class FirstBlank:
    """Takes the blank off an answer's beginning that its first token adds, if it `expects` one."""

    def __init__(self, expects: bool) -> None:
        self._expects = expects

    def without(self, piece: str) -> str:
        """Return what of a piece is text."""
        if self._expects and piece:
            self._expects = False
            return piece.removeprefix(" ")
        return piece


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_blank(character: str) -> bool:
    # Only what every vocabulary can write: SmolLM2's lacks U+001D, which `isspace` includes.
    return character in " \t\r\n"


def _run_start(text: str, end: int, longest: int, belongs: Callable[[str], bool]) -> int:
    """
    Return where the run of characters that ends at `end` starts.

    Of a run longer than `longest`, each of whose tokens would cost a step of the engine, only an
    end counts; its start stays in place while half of `longest` is typed.
    """
    start = end
    while start > 0 and belongs(text[start - 1]):
        start -= 1
        if end - start > longest:
            half = longest // 2
            return (end // half - 1) * half
    return start
