"""How much of the code before the cursor a prompt holds, and where it begins."""

from collections.abc import Callable, Iterator

from opencoder_lsp.errors import PromptTooLongError
from opencoder_lsp.prompt.tokenizer import Tokenizer

# Makes the whole prompt from the code that is to stand left of the cursor.
Layout = Callable[[str], list[int]]

# Text farther away, in characters for a token, is not even looked at. Tokens of code have 3 to 4
# in the mean.
REACH = 12
# The window moves by a quarter of the budget, at this many characters for a token.
STEP = 3


def windowed(
    prefix: str,
    layout: Layout,
    tokenizer: Tokenizer,
    limit: int,
    head: Callable[[str], str] = lambda cut: "",
) -> list[int]:
    """
    Return the prompt with as much of `prefix` as fits, from one of a few possible starts on.

    Where its beginning does not fit, `head` says what of that beginning stands there instead.
    """
    frame = layout("")
    if len(frame) > limit:
        raise PromptTooLongError(len(frame), limit, "the frame of a completion prompt")
    room, said = limit - len(frame), ""
    starts = _starts(prefix, tokenizer, limit, room)
    if starts and starts[0] > 0 and (said := head(prefix[: starts[0]])):
        starts = _starts(prefix, tokenizer, limit, room - tokenizer.count(said))
    for start in starts:
        ids = layout(said + prefix[start:].replace("\r\n", "\n"))
        if len(ids) <= limit:
            return ids
    return frame


def _starts(text: str, tokenizer: Tokenizer, limit: int, room: int) -> list[int]:
    """
    Return where a window of about `room` tokens to the end of `text` may start, the best first.

    The places depend on the text only, not on what was asked before: about each quarter of the
    budget, at the next line start. So a key moves the window rarely, and then by much. Where so
    coarse a choice would waste half the room (text with many tokens to a character), it is made
    finer.
    """
    step = max(1, limit // 4 * STEP)
    while True:
        starts: list[int] = []
        filled, end = 0, len(text)
        for start in _line_starts(text, step):
            used = filled + tokenizer.count(text[start:end].replace("\r\n", "\n"))
            if used > room or len(text) - start > limit * REACH:
                break
            starts.append(start)
            filled, end = used, start
        if step == 1 or end == 0 or filled * 2 >= room:
            return starts[::-1]
        step //= 2


def _line_starts(text: str, step: int) -> Iterator[int]:
    """Yield the line starts that follow each multiple of `step`, the last first; 0 is the last."""
    for position in range(len(text) // step * step, 0, -step):
        line_end = text.find("\n", position - 1, position + step // 2)
        # A very long line is cut within.
        yield line_end + 1 if line_end >= 0 else position
    yield 0
