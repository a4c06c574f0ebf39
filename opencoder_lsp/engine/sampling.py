"""From logits to the next token, on the device, with one transfer at the end."""

from collections.abc import Sequence

import torch
from torch import Tensor

from opencoder_lsp.engine.healing import Allowed, PrefixIndex
from opencoder_lsp.engine.request import Params, Request, Score
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
        finite = torch.isfinite(logits.abs().amax(dim=-1))  # a maximum passes NaN on
        own = {
            row: logits[row].clone()
            for row, work in enumerate(works)
            if work.request.params.logprobs is not None
        }
        for row, work in enumerate(works):
            if work.request.params.adjusts_logits:
                self._adjustment(work.request, logits.shape[-1]).apply(logits[row])
            if work.allowed is not None:
                logits[row] = self._mask(logits[row], work.allowed)
        tokens = logits.max(dim=-1).indices  # the first of equals, in a third of argmax's time
        for row, work in enumerate(works):
            if work.request.params.temperature > 0:
                tokens[row] = self._draw(logits[row], work.request)
            if work.request.adjustment is not None:
                work.request.adjustment.count(tokens[row : row + 1])
        chosen: list[int] = torch.where(finite, tokens, NOT_FINITE).tolist()
        if own:
            requests = [works[row].request for row in own]
            score(requests, torch.stack([*own.values()]), [chosen[row] for row in own])
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

    def _adjustment(self, request: Request, size: int) -> "Adjustment":
        if request.adjustment is None:
            request.adjustment = Adjustment(request.params, size, self._device)
        adjustment: Adjustment = request.adjustment
        return adjustment

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


class Adjustment:
    """
    What one request's penalties and biases do to its logits, as OpenAI defines them.

    Its counts stay on the device, so that a step needs no word from the host about the last one.
    """

    def __init__(self, params: Params, size: int, device: torch.device) -> None:
        """`size` is the number of logits; nothing has been generated yet."""
        self._presence = params.presence_penalty
        self._frequency = params.frequency_penalty
        self._counts: Tensor | None = None
        if self._presence or self._frequency:
            self._counts = torch.zeros(size, device=device)
            self._one = torch.ones(1, device=device)
        self._bias: tuple[Tensor, Tensor] | None = None
        if params.logit_bias:
            ids, values = zip(*params.logit_bias, strict=True)
            self._bias = torch.tensor(ids, device=device), torch.tensor(values, device=device)

    def apply(self, logits: Tensor) -> None:
        """Change logits [vocabulary] (float32) in place."""
        if self._counts is not None:
            logits.sub_(self._counts, alpha=self._frequency)
            logits.sub_(self._counts.clamp(max=1), alpha=self._presence)
        if self._bias is not None:
            logits.index_add_(0, *self._bias)

    def count(self, token: Tensor) -> None:
        """Note that a token [1] was chosen."""
        if self._counts is not None:
            self._counts.index_add_(0, token, self._one)


def score(requests: Sequence[Request], logits: Tensor, chosen: Sequence[int]) -> None:
    """
    Give each request the score of its token, from the model's logits [requests, vocabulary].

    One transfer for all of them. Where the logits were not finite there is no score.
    """
    most = min(max(request.params.logprobs or 0 for request in requests), logits.shape[-1])
    tokens = torch.tensor(chosen, device=logits.device).clamp(min=0)[:, None]
    logprobs = logits.log_softmax(dim=-1)
    top = logprobs.topk(most)
    # As float32, in which ids up to 16 million are exact.
    numbers = torch.cat([logprobs.gather(1, tokens), top.values, top.indices.float()], dim=1)
    for request, token, row in zip(requests, chosen, numbers.tolist(), strict=True):
        count = request.params.logprobs or 0
        ids, values = map(int, row[1 + most :][:count]), row[1:][:count]
        if token != NOT_FINITE:
            request.score = Score(token, row[0], tuple(zip(ids, values, strict=True)))


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
