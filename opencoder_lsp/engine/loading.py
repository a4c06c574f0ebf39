"""From a model folder to an engine that can answer: checks, weights, memory, warm-up."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from opencoder_lsp.engine.core import Loaded, Report
from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.request import Params, Request
from opencoder_lsp.engine.scheduler import chunk_tokens
from opencoder_lsp.engine.step import Runner, Work
from opencoder_lsp.engine.text import TextStream, Vocabulary
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models.fitting import needs_of
from opencoder_lsp.settings import Settings

log = logging.getLogger(__name__)

_WEIGHTS_SHARE = 0.9  # of the progress
_AUTO_SECONDS = 0.5
_TRIES = 2  # the best counts: another program may have had the cores for a moment
_AUTO_LEAST, _AUTO_MOST = 256, 4096  # tokens
_DRAFTS = (2, 4, 8, 16)  # tokens; what lookup mostly drafts


def load(folder: Path, settings: Settings, report: Report) -> Loaded:
    """Load the model in `folder`, on the calling thread. Raises ModelError with the cure."""
    # Imported here since they bring torch, which takes seconds: /health answers meanwhile.
    from opencoder_lsp.engine import weights
    from opencoder_lsp.engine.cache import SlotMemory
    from opencoder_lsp.engine.runner import TorchRunner
    from opencoder_lsp.engine.sampling import Sampler
    from opencoder_lsp.prompt.tokenizer import Tokenizer

    manifest, config = weights.check(folder)
    tokenizer = Tokenizer.load(folder)
    context = _context(model_config.context_length(config), manifest.context_length, settings)
    threads = weights.set_threads(settings.engine, weights.choose_device(settings.engine))
    model = weights.load(
        folder, config, settings.engine, lambda done: report(_WEIGHTS_SHARE * done)
    )
    vocab_size = min(model_config.vocabulary_size(config), tokenizer.vocab_size)
    prefixes = PrefixIndex(tokenizer, vocab_size)
    memory = SlotMemory.for_model(model, context, settings.engine.slots)
    sampler = Sampler(prefixes, model.get_output_embeddings().weight.device)
    runner = TorchRunner(model, memory, sampler, vocab_size, threads)
    drafts = _DRAFTS if settings.engine.lookup else ()
    most = weights.longest_step(model, needs_of(config, settings.engine))
    rate = measure(runner, tokenizer, min(context, most + 1), drafts)
    auto = max(_AUTO_LEAST, min(_AUTO_MOST, int(rate * _AUTO_SECONDS), context - 1))
    report(1.0)
    return Loaded(
        runner=runner,
        vocabulary=tokenizer,
        prefixes=prefixes,
        vocab_size=vocab_size,
        context_length=context,
        chunk=_fitting(chunk_tokens(auto), most),
        prompt_tokens_auto=min(auto, context - 1),
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        kv_bytes=memory.nbytes,
        lookup=settings.engine.lookup,
    )


def _context(positions: int, manifest: int, settings: Settings) -> int:
    """Return how many tokens prompt and output may have together."""
    most = min(positions, manifest)
    if settings.engine.context > most:
        raise ModelError(
            f"engine.context is {settings.engine.context}, but this model allows at most {most}"
        )
    return settings.engine.context or most


def _fitting(chunk: int, most: int) -> int:
    """Return a chunk that is no longer than the memory left allows, a power of two like `chunk`."""
    return min(chunk, 1 << (most.bit_length() - 1))


def _seconds(runner: Runner, request: Request, tokens: int) -> float:
    """Return how long one prefill takes."""
    began = time.monotonic()
    runner.step([Work(request, 0, tokens, sample=True)])
    return max(time.monotonic() - began, 1e-6)


def measure(
    runner: Runner, vocabulary: Vocabulary, context: int, drafts: Sequence[int] = ()
) -> float:
    """
    Warm the runner up and return how many prompt tokens it prefills in a second, in a slot of
    `context` tokens.

    Steps that verify a draft are warmed for each of the lengths `drafts`.
    """
    rate = 0.0
    for tokens in (64, 512, 2048):
        tokens = min(tokens, context - 1)
        request = Request(
            "warm-up",
            [0] * tokens,
            Params(max_tokens=2),
            TextStream(vocabulary),
            lambda _event: None,
            context,
        )
        request.slot = 0
        rate = tokens / min(_seconds(runner, request, tokens) for _ in range(_TRIES))
        if tokens >= 512 and rate < _AUTO_MOST:
            break  # slow enough that the next size would only take time
    for drafted in (0, *drafts):
        if drafted < tokens:
            draft = (0,) * drafted
            runner.step([Work(request, tokens - 1 - drafted, 1, sample=True, draft=draft)])
    log.info("warmed up: %.0f prompt tokens a second", rate)
    return rate
