"""From logits to the next token, on the device, with one transfer at the end."""

from collections.abc import Sequence

import torch
from torch import Tensor

from opencoder_lsp.engine.healing import Allowed, PrefixIndex
from opencoder_lsp.engine.request import Request
from opencoder_lsp.engine.step import Work

NOT_FINITE = -1  # in place of a token, where the logits hold NaN or infinity


class Sampler:
    """Chooses tokens for the sequences of a step."""

    def __init__(self, prefixes: PrefixIndex, device: torch.device) -> None:
        """`device` is where the logits are."""
        self._prefixes = prefixes
        self._device = device
        self._order: Tensor | None = None

    def choose(self, logits: Tensor, works: Sequence[Work]) -> list[int]:
        """
        Return one token for each row of `logits` [n, vocabulary], or NOT_FINITE.

        Greedy unless the request has a temperature; a request's own generator makes what it draws
        independent of who else is in the step.
        """
        logits = logits.float()
        finite = torch.isfinite(logits).all(dim=-1)
        for row, work in enumerate(works):
            if work.allowed is not None:
                logits[row] = self._mask(logits[row], work.allowed)
        tokens = logits.argmax(dim=-1)
        for row, work in enumerate(works):
            if work.request.params.temperature > 0:
                tokens[row] = self._draw(logits[row], work.request)
        chosen: list[int] = torch.where(finite, tokens, NOT_FINITE).tolist()
        return chosen

    def _mask(self, logits: Tensor, allowed: Allowed) -> Tensor:
        if self._order is None:
            self._order = torch.tensor(self._prefixes.order, device=self._device)
        masked = torch.full_like(logits, float("-inf"))
        for ids in (
            self._order[allowed.low : allowed.high],
            torch.tensor(allowed.ids, dtype=torch.long, device=self._device),
        ):
            masked[ids] = logits[ids]
        return masked

    def _draw(self, logits: Tensor, request: Request) -> Tensor:
        params = request.params
        logits = keep_likeliest(logits / params.temperature, params.top_k, params.top_p)
        # The largest of probability / exponential noise is a draw from the probabilities
        # (the Gumbel trick); unlike torch.multinomial it never asserts on the device.
        noise = torch.empty_like(logits).exponential_(generator=self._generator(request))
        return (torch.softmax(logits, dim=-1) / noise).argmax()

    def _generator(self, request: Request) -> torch.Generator:
        if request.generator is None:
            request.generator = torch.Generator(self._device)
            if request.params.seed is None:
                request.generator.seed()
            else:
                request.generator.manual_seed(request.params.seed)
        generator: torch.Generator = request.generator
        return generator


def keep_likeliest(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """
    Return logits [vocabulary] with -inf outside the `top_k` likeliest, then outside `top_p`.

    `top_k` 0 and `top_p` 1 are off. `top_p` keeps the fewest likeliest tokens whose probabilities
    (after `top_k`) reach it, at least one.
    """
    if 0 < top_k < logits.shape[-1]:
        smallest = logits.topk(top_k).values[-1]
        logits = logits.masked_fill(logits < smallest, float("-inf"))
    if top_p < 1:
        ordered, ids = logits.sort(descending=True)
        shares = ordered.softmax(dim=-1)
        beyond = shares.cumsum(dim=-1) - shares >= top_p  # what stands before is enough
        beyond[0] = False
        logits = logits.masked_fill(beyond.scatter(0, ids, beyond), float("-inf"))
    return logits
