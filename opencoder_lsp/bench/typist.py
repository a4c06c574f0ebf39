"""
What one typist asks of an engine, again and again: the load that `bench scale` multiplies.

`requests.json` is what the language server sent, with `completion.debounce` 0, while the recorded
typing (`trace`) was typed into it: when, prompts of what length with what in common, and which
answers were left for a newer key. What it answered by itself, from a former suggestion, is not in
it.
"""

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

FIRST_ID, IDS = 100, 30_000  # ids of plain tokens in every vocabulary that we know
_TYPISTS = 997  # from so many on, one's second file would be another's first


@dataclass(frozen=True, slots=True)
class Ask:
    """
    One request. Its prompt begins with `kept` tokens of the prompt of request number `base`.

    With `left` None the typist reads the answer of `tokens` tokens to its end, and asks the next
    time `gap` seconds after that. Else the answer is left after so many seconds, if it has not
    ended, and `gap` counts from the asking.
    """

    prompt: int
    base: int
    kept: int
    tokens: int
    left: float | None
    gap: float


class Typing:
    """A recorded series of requests, with prompts that have the recorded lengths."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        """Raises ValueError where a prompt cannot begin as it says."""
        self.asks = tuple(asks)
        self._prompts = list[list[int]]()
        chance = random.Random(1)
        for number, ask in enumerate(asks):
            base = self._prompts[ask.base] if 0 <= ask.base < number else []
            if not ask.kept <= min(len(base), ask.prompt):
                raise ValueError(f"request {number} keeps {ask.kept} tokens of {len(base)}")
            new = chance.choices(range(FIRST_ID, FIRST_ID + IDS), k=ask.prompt - ask.kept)
            self._prompts.append(base[: ask.kept] + new)

    @classmethod
    def recorded(cls) -> "Typing":
        """Read what comes with the package."""
        text = files(__package__).joinpath("requests.json").read_text(encoding="utf-8")
        return cls([Ask(*row) for row in json.loads(text)["requests"]])

    def typist(self, number: int) -> tuple[float, Iterator[tuple[Ask, list[int]]]]:
        """
        Return when a typist asks first, in seconds, and all requests from then on, without end.

        Each typist begins at a place of his own. Behind the last request comes another file: what
        was recorded begins anew, with prompts that nobody knows, as at first. His prompts share
        nothing with anybody else's.
        """
        chance = random.Random(number)
        place = chance.randrange(len(self.asks))
        wait = chance.uniform(0, self.asks[place - 1].gap)
        return wait, self._from(place, number)

    def _from(self, place: int, typist: int) -> Iterator[tuple[Ask, list[int]]]:
        for file in itertools.count():
            first = FIRST_ID + (typist + file * _TYPISTS) % IDS
            for number in range(place, len(self.asks)):
                yield self.asks[number], [first, *self._prompts[number][1:]]
            place = 0
