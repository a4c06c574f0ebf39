"""A runner without torch, whose steps can be counted, held back and made to fail."""

import copy
import threading
from collections.abc import Callable, Sequence

from opencoder_lsp.engine.core import Loaded
from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.step import Outcome, OutOfMemoryError, Token, Work

WAIT = 60.0  # seconds after which a test that waits has failed


class Letters:
    """A vocabulary of 256 bytes, then ids that are control tokens."""

    vocab_size = 260

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def token_bytes(self, id: int) -> bytes:
        return bytes([id]) if id < 256 else b""

    def decoder(self) -> "LetterDecoder":
        return LetterDecoder()


class LetterDecoder:
    """Decodes ASCII; enough for scripted answers."""

    def push(self, id: int) -> str:
        return chr(id) if id < 128 else ""

    def finish(self) -> str:
        return ""


def alphabet(work: Work) -> Outcome:
    """Answer a, b, c … whatever was asked, or the first of what is allowed."""
    if work.allowed is not None:
        return [*work.allowed.ids, *ORDER[work.allowed.low : work.allowed.high]][0]
    return ord("a") + work.request.output_tokens % 26


LETTERS = Letters()
PREFIXES = PrefixIndex(LETTERS, LETTERS.vocab_size)
ORDER = PREFIXES.order


class FakeRunner:
    """
    Answers by `answer`, one call for each token, those of a draft included. `pause` holds the
    engine thread before its next step, `release` lets it do some; `fail` is raised by the next.
    """

    def __init__(self, slots: int = 4, answer: Callable[[Work], Outcome] = alphabet) -> None:
        self.slots = slots
        self.answer = answer
        self.fail: Exception | None = None
        self.memory: int | None = None  # tokens that a step may have; more are out of memory
        self.steps: list[list[tuple[str, int, int]]] = []  # request id, start, count
        self.drafts: list[tuple[int, ...]] = []  # of each step, the tokens drafted in it
        self.copies: list[tuple[int, int, int]] = []
        self._changed = threading.Condition()
        self._budget: int | None = None  # steps that may be done; None for any number
        self._held = False

    def copy(self, source: int, target: int, rows: int) -> None:
        self.copies.append((source, target, rows))

    def step(self, works: Sequence[Work]) -> list[Outcome]:
        self._wait_for_leave()
        with self._changed:
            self.steps.append([(w.request.id, w.start, w.count) for w in works])
            self.drafts.append(tuple(token for w in works for token in w.draft))
            self._changed.notify_all()
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        if self.memory is not None and sum(len(w.ids) for w in works) > self.memory:
            raise OutOfMemoryError("out of memory: tried to allocate")
        return [self._answer(work) for work in works]

    def _answer(self, work: Work) -> Outcome:
        if not work.sample or not work.draft:
            return self.answer(work) if work.sample else None
        outcomes: list[Token] = []
        for known in range(len(work.draft) + 1):
            request = copy.copy(work.request)
            request.ids = [*request.ids, *work.draft[:known]]
            outcome = self.answer(Work(request, work.start + known, 1, sample=True))
            assert isinstance(outcome, Token)
            outcomes.append(outcome)
        return outcomes

    def pause(self) -> None:
        """Hold the thread at its next step."""
        with self._changed:
            self._budget = 0

    def release(self, steps: int | None = None) -> None:
        """Let it do `steps` more, or as many as it likes."""
        with self._changed:
            self._budget = steps
            self._held = False  # whoever waits for that next means a later step
            self._changed.notify_all()

    def wait_until_held(self) -> None:
        """Return when the thread stands at a step."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._held, WAIT)

    def wait_for_steps(self, count: int) -> None:
        """Return when `count` steps have begun in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.steps) >= count, WAIT)

    def _wait_for_leave(self) -> None:
        with self._changed:
            self._held = self._budget == 0
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._budget != 0, WAIT)
            self._held = False
            if self._budget is not None:
                self._budget -= 1


def loaded(runner: FakeRunner, context: int = 1000, chunk: int = 64) -> Loaded:
    """Return what a loader returns, around `runner`."""
    return Loaded(
        runner=runner,
        vocabulary=LETTERS,
        prefixes=PREFIXES,
        vocab_size=LETTERS.vocab_size,
        context_length=context,
        chunk=chunk,
        prompt_tokens_auto=256,
        device="none",
        dtype="none",
        kv_bytes=runner.slots * context * 512,
    )
