"""From token ids to text pieces, and to the bytes that a forced prefix is measured in."""

from collections.abc import Sequence
from typing import Protocol


class Decoder(Protocol):
    """One output being decoded; never gives half a character."""

    def push(self, id: int, /) -> str:
        """Return the text that became complete with this token."""
        ...

    def finish(self) -> str:
        """Return what is left at the end."""
        ...


class TokenBytes(Protocol):
    """What is known of each token by itself."""

    def token_bytes(self, id: int, /) -> bytes:
        """Return what a token adds to the output; empty for a control token."""
        ...


class Vocabulary(TokenBytes, Protocol):
    """The part of `prompt.tokenizer.Tokenizer` that the engine uses."""

    @property
    def vocab_size(self) -> int:
        """Highest id + 1."""
        ...

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of plain text, never a control id."""
        ...

    def decoder(self) -> Decoder:
        """Start on a new output."""
        ...


class TextStream:
    """The text of one request's output."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._decoder = vocabulary.decoder()
        self.token_bytes = vocabulary.token_bytes

    def push(self, token: int) -> str:
        """Return the text that became complete with this token, often one word, often none."""
        return self._decoder.push(token)

    def finish(self) -> str:
        """Return what is left at the end of the output."""
        return self._decoder.finish()


def utf8(text: str) -> bytes:
    """Return the UTF-8 of a text, with U+FFFD for each lone surrogate."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
