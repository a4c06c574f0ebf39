"""A target that takes no time: it notes what it is asked for."""

from dataclasses import dataclass, field

from opencoder_lsp.bench.target import Timing


@dataclass
class NotingTarget:
    """Answers at once, as if its first token had taken 1 s and each further one half of that."""

    name: str
    reuses: bool = True
    concurrent: bool = True
    asked: list[tuple[list[int], int, bool]] = field(default_factory=list)

    async def ask(self, prompt: list[int], tokens: int, *, leave: bool = False) -> Timing:
        """Note prompt, tokens, and whether it is left."""
        self.asked.append((prompt, tokens, leave))
        return Timing(1.0, 1.0 if leave else 1.0 + 0.5 * (tokens - 1), 1 if leave else tokens)
