"""What those who type ask in chats meanwhile: behind all completions, but beside them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from opencoder_lsp.bench.typist import FIRST_ID, IDS


@dataclass(frozen=True, slots=True)
class Chats:
    """
    Each typist's questions: `per_hour` in the mean, at random moments, one after the other.

    `prompt` and `tokens` are the lengths of a question and of its answer: by default those of a
    function with what is asked of it, and of an explanation of some paragraphs.
    """

    per_hour: float = 0.0
    prompt: int = 800
    tokens: int = 300

    def of(self, typist: int) -> Iterator[tuple[float, list[int]]]:
        """
        Yield the questions of a typist, without end where there are any.

        Each comes with the seconds from the answer before it, or from the beginning. No two of
        them share anything.
        """
        chance = random.Random(f"chats of {typist}")
        while self.per_hour:
            wait = chance.expovariate(self.per_hour / 3600)
            yield wait, chance.choices(range(FIRST_ID, FIRST_ID + IDS), k=self.prompt)
