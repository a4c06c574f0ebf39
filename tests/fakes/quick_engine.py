"""
The engine's process around a model that only pretends: all of it is real, but there is no torch.

    python quick_engine.py [--pace SECONDS] [--starts FILE] --model FOLDER --socket PATH
        [--set NAME=VALUE]…

It is up in a fraction of a second and says TEXT over and over, a token every `--pace` seconds for
everybody at work. The folder needs a tokenizer and a manifest. `--starts` is a file to which each
process appends its id.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from opencoder_lsp.engine import loading
from opencoder_lsp.engine.__main__ import main
from opencoder_lsp.engine.core import Loaded, Report
from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.step import Outcome, Work
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.fakes.runner import FakeRunner

TEXT = " self.value\n"
CONTEXT = 100_000  # tokens
SLOTS = 8


class Parrot:
    """Says TEXT over and over, and before it whatever the output has to begin with."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer.load(folder)
        self.prefixes = PrefixIndex(self.tokenizer, self.tokenizer.vocab_size)
        self._ids = self.tokenizer.encode(TEXT)

    def __call__(self, work: Work) -> Outcome:
        """Return the next token."""
        if work.allowed is not None:
            order = self.prefixes.order[work.allowed.low : work.allowed.high]
            return [*work.allowed.ids, *order][0]
        return self._ids[work.request.output_tokens % len(self._ids)]


class PacedRunner(FakeRunner):
    """Takes its time for each step."""

    def __init__(self, parrot: Parrot, slots: int, pace: float) -> None:
        super().__init__(slots or SLOTS, parrot)
        self._pace = pace

    def step(self, works: Sequence[Work]) -> list[Outcome]:
        """Do one step; what FakeRunner notes of it is for short tests."""
        self.steps.clear()
        self.drafts.clear()
        self.copies.clear()
        if self._pace:
            time.sleep(self._pace)
        return super().step(works)


class Loader:
    """Stands in for `loading.load`."""

    def __init__(self, pace: float) -> None:
        self._pace = pace

    def __call__(self, folder: Path, settings: Settings, report: Report) -> Loaded:
        """Load at once."""
        parrot = Parrot(folder)
        report(1.0)
        return Loaded(
            runner=PacedRunner(parrot, settings.engine.slots, self._pace),
            vocabulary=parrot.tokenizer,
            prefixes=parrot.prefixes,
            vocab_size=parrot.tokenizer.vocab_size,
            context_length=CONTEXT,
            chunk=1024,
            prompt_tokens_auto=1024,
            device="none",
            dtype="none",
            lookup=False,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pace", type=float, default=0.0)
    parser.add_argument("--starts", type=Path)
    options, engine = parser.parse_known_args()
    if options.starts:
        with options.starts.open("a") as file:
            file.write(f"{os.getpid()}\n")
    loading.load = Loader(options.pace)
    sys.exit(main(engine))
