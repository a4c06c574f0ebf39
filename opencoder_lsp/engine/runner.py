"""Batches to next tokens: one forward pass of transformers' model over our own slot memory."""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch

from opencoder_lsp.engine.attention import Layout, Segment
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.sampling import NOT_FINITE, Sampler
from opencoder_lsp.engine.step import DeviceLostError, Outcome, OutOfMemoryError, Token, Work
from opencoder_lsp.engine.threads import Threads
from opencoder_lsp.errors import EngineError

log = logging.getLogger(__name__)

_CPU_MEMORY = "DefaultCPUAllocator: "  # begins a RuntimeError where a CPU has none left


class TorchRunner:
    """A model (attn_implementation "slots") and the memory of its slots; for one thread."""

    def __init__(
        self,
        model: Any,
        memory: SlotMemory,
        sampler: Sampler,
        vocab_size: int,
        threads: Threads | None = None,
    ) -> None:
        """
        Logits from `vocab_size` on are ignored: padding that no token stands for. `threads` is
        left out where their number is fixed.
        """
        self._model = model
        self._memory = memory
        self._sampler = sampler
        self._vocab_size = vocab_size
        self._threads = threads
        self._input_device = model.get_input_embeddings().weight.device
        self._output_device = model.get_output_embeddings().weight.device

    @property
    def slots(self) -> int:
        """Number of sequences that have memory."""
        return self._memory.slots

    def copy(self, source: int, target: int, rows: int) -> None:
        """Copy the first `rows` rows of one slot into another."""
        with torch.inference_mode():
            self._memory.copy(source, target, rows)

    def step(self, works: Sequence[Work]) -> list[Outcome]:
        """Do one forward pass; see `step.Runner`."""
        if self._threads:
            self._threads.adapt()
        problem = ""
        try:
            with torch.inference_mode():
                return self._step(works)
        except RuntimeError as error:
            if "CUDA error" in str(error) or "device-side assert" in str(error):
                raise DeviceLostError(f"the GPU failed: {str(error).splitlines()[0]}") from None
            if not isinstance(error, torch.OutOfMemoryError) and _CPU_MEMORY not in str(error):
                raise
            problem = str(error).rpartition(_CPU_MEMORY)[2].split(". ")[0]
        # Outside of the except block, whose traceback holds the tensors of the step.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise OutOfMemoryError(f"out of memory: {problem}")

    def _step(self, works: Sequence[Work]) -> list[Outcome]:
        ids: list[int] = []
        positions: list[int] = []
        last: list[int] = []
        segments: list[Segment] = []
        for work in works:
            start, end = work.start, work.start + work.count + len(work.draft)
            segments.append(Segment(work.request.slot, start, end - start, len(ids)))
            ids += work.ids
            positions += range(start, end)
            if work.sample:
                last += range(len(ids) - 1 - len(work.draft), len(ids))
        layout = Layout(segments)
        self._memory.begin(layout)
        inputs = torch.tensor([[ids], [positions]]).to(self._input_device, non_blocking=True)
        logits = self._model(
            input_ids=inputs[0],
            position_ids=inputs[1],
            past_key_values=self._memory,
            use_cache=True,
            logits_to_keep=torch.tensor(last, dtype=torch.long, device=self._output_device),
            layout=layout,
        ).logits
        if not last:
            return [None] * len(works)
        rows = [work for work in works if work.sample for _ in range(1 + len(work.draft))]
        chosen = map(_token, self._sampler.choose(logits[0, :, : self._vocab_size], rows))
        return [_outcome(work, chosen) for work in works]


def _outcome(work: Work, chosen: Iterator[Token]) -> Outcome:
    if not work.sample:
        return None
    return list(islice(chosen, 1 + len(work.draft))) if work.draft else next(chosen)


def _token(token: int) -> Token:
    if token == NOT_FINITE:
        return EngineError("the model gave numbers that are not finite (NaN)")
    return token
