"""How likely a model finds a given text behind a prompt, asked token by token."""

import asyncio
from collections.abc import Sequence

from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from opencoder_lsp.errors import InvalidRequestError

_CERTAIN = 100.0  # what an engine may add to a logit; no model's logits are so far apart
_AT_ONCE = 8  # requests: they differ by a token, so an engine computes them in one pass


async def log_likelihood(client: EngineClient, prompt: Sequence[int], ids: Sequence[int]) -> float:
    """
    Return the natural logarithm of the probability of `ids` behind `prompt`, the model's own.

    A bias makes the engine choose each of them, which does not change the probability that it
    names. Raises EngineError, and InvalidRequestError where the engine names none.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def of(number: int) -> float:
        request = CompletionRequest(
            prompt=[*prompt, *ids[:number]],
            max_tokens=1,
            logit_bias={ids[number]: _CERTAIN},
            logprobs=0,
        )
        async with gate, client.complete(request) as stream:
            named = [
                value
                async for piece in stream.pieces
                if piece.logprobs is not None
                for value in piece.logprobs.token_logprobs
            ]
        if not named or named[0] is None:
            raise InvalidRequestError("the engine names no probabilities")
        return named[0]

    waiting = [asyncio.ensure_future(of(number)) for number in range(len(ids))]
    try:
        return sum(await asyncio.gather(*waiting))
    finally:
        for task in waiting:
            task.cancel()
