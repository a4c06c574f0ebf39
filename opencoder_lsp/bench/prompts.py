"""The prompts of the workloads, as token ids."""

from collections.abc import Sequence

from opencoder_lsp.bench.trace import Key, Trace
from opencoder_lsp.prompt.tokenizer import Tokenizer

_NEW = '"""A bank: customers, accounts and a ledger."""\n\nimport random\n\n\nclass Customer:\n'
_BEGUN_LINES = 12
_IDS, _FIRST_ID = 30_000, 100  # ids of plain tokens in every vocabulary that we know


class Prompts:
    """Prompts in the ids of one vocabulary."""

    def __init__(self, tokenizer: Tokenizer, trace: Trace) -> None:
        """`trace` is also the file that is repeated."""
        self._tokenizer = tokenizer
        self._trace = trace

    @property
    def new_code(self) -> list[int]:
        """Some 25 tokens of a file of which nothing is known yet."""
        return self._tokenizer.encode(_NEW)

    @property
    def repeated_code(self) -> list[int]:
        """About 1000 tokens: a file, and the request to write it again, some of which is done."""
        text = self._trace.text
        begun = "\n".join(text.split("\n")[:_BEGUN_LINES])
        return self._tokenizer.encode(f"```python\n{text}```\nOnce more:\n```python\n{begun}\n")

    def typed(self, most: int | None = None) -> list[tuple[Key, list[int]]]:
        """Return the keys of the trace, or the first `most`, with what each one asks for."""
        keys = list(self._trace.replay())[:most]
        return [(key, self._tokenizer.encode(key.prefix)) for key in keys]


def filler(tokens: int, seed: int) -> list[int]:
    """Return ids that mean nothing; those of another seed begin with another id."""
    return [(seed * 7919 + place * 37) % _IDS + _FIRST_ID for place in range(tokens)]


def fillers(count: int, tokens: int, seed: int) -> Sequence[list[int]]:
    """Return `count` prompts that share nothing."""
    return [filler(tokens, seed * count + number) for number in range(count)]
