"""What must be known of Markdown to put texts of others into it, or to cut them."""

import re

# CommonMark 0.31, section 4.5: what opens a fence, and what may close it.
_OPENING = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})")
_CLOSING = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*$")


class Fences:
    """Follows a text line by line and knows which code fence is open; `open` is "" outside."""

    def __init__(self) -> None:
        self.open = ""

    def line(self, line: str) -> None:
        """Take the next line, without its line break."""
        if not self.open:
            opening = _OPENING.match(line)
            self.open = opening[1] if opening else ""
        elif (closing := _CLOSING.match(line)) and closing[1].startswith(self.open):
            self.open = ""


def closed(text: str) -> str:
    """Return a text with a code block closed that it leaves open, as one that was cut off does."""
    fences = Fences()
    for line in text.split("\n"):
        fences.line(line)
    return f"{text.rstrip()}\n{fences.open}" if fences.open else text
