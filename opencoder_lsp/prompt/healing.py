"""Token healing: which text left of the cursor the model writes anew."""

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
