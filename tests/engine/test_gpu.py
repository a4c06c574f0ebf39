"""The engine on a CUDA device; these tests are skipped where there is none."""

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from opencoder_lsp.engine import attention, int8, loading, weights
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.generation import Generation
from opencoder_lsp.engine.healing import PrefixIndex
from opencoder_lsp.engine.request import Event, Params, Request
from opencoder_lsp.engine.runner import TorchRunner
from opencoder_lsp.engine.sampling import Sampler
from opencoder_lsp.engine.step import Work
from opencoder_lsp.engine.text import TextStream
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models.needs import Needs
from opencoder_lsp.settings import Settings
from tests.engine.test_loading import answer
from tests.fakes.checkpoints import CONTEXT, Architecture, make_checkpoint, make_model
from tests.fakes.runner import LETTERS

pytestmark = pytest.mark.gpu

VOCABULARY, NEW = 260, 12
ARCHITECTURES: tuple[Architecture, ...] = ("gpt_bigcode", "llama")


def make_runner(architecture: Architecture) -> TorchRunner:
    """Make a runner around a tiny model in float32 on the GPU."""
    attention.register()
    model = make_model(architecture, vocab_size=VOCABULARY).to("cuda")
    model.set_attn_implementation(attention.NAME)
    sampler = Sampler(PrefixIndex(LETTERS, VOCABULARY), torch.device("cuda"))
    return TorchRunner(model, SlotMemory.for_model(model, CONTEXT), sampler, VOCABULARY)


def expected(architecture: Architecture, prompt: Sequence[int]) -> list[int]:
    """Return what `generate` says on the CPU."""
    model = make_model(architecture, vocab_size=VOCABULARY)
    ids = torch.tensor([prompt])
    mask = torch.ones_like(ids)
    plain = model.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=NEW,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return list(plain[0, len(prompt) :].tolist())


def ask(prompt: Sequence[int], **params: Any) -> Request:
    """Make a request, greedy unless `params` say otherwise."""

    def sink(_event: Event) -> None:
        """Nobody listens."""

    all_params = Params(**{"max_tokens": NEW, **params})
    return Request("r", list(prompt), all_params, TextStream(LETTERS), sink, CONTEXT)


def generation(runner: TorchRunner) -> Generation:
    """Prefill in chunks of 16 tokens."""
    return Generation(runner, PrefixIndex(LETTERS, VOCABULARY), 16, Counter(), lambda: None)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_chunks_and_batches_give_the_tokens_of_generate(architecture: Architecture) -> None:
    prompts = [[n * step % 250 + 5 for n in range(length)] for step, length in ((3, 5), (7, 77))]
    requests = [ask(prompt) for prompt in prompts]
    running = generation(make_runner(architecture))
    for request in requests:
        running.add(request)
    while not running.idle:
        running.step()
    for request, prompt in zip(requests, prompts, strict=True):
        assert request.ids[len(prompt) :] == expected(architecture, prompt)


def test_a_checkpoint_in_two_shards_loads_in_bf16_onto_the_gpu(tmp_path: Path) -> None:
    loaded = loading.load(make_checkpoint(tmp_path / "m"), Settings(), lambda _done: None)
    assert (loaded.device, loaded.dtype) == ("cuda:0", "bfloat16")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_int8_weights_give_the_tokens_that_they_give_on_the_cpu(
    architecture: Architecture, tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "m", make_model(architecture))
    answers = []
    for device in ("cpu", "cuda"):
        pairs = [f"engine.device={device}", "engine.quantization=int8", "engine.dtype=float32"]
        loaded = loading.load(folder, Settings.load(cli=pairs), lambda _done: None)
        assert loaded.device.startswith(device)
        answers.append(answer(loaded, stop_ids=frozenset())[0])
    assert answers[0] == answers[1]


def test_loading_int8_weights_never_holds_more_than_one_plain_one(tmp_path: Path) -> None:
    model = make_model(n_embd=1024, n_layer=4, n_head=8)
    folder = make_checkpoint(tmp_path / "m", model)
    config = model_config.read(folder)
    plain, small = Needs.of(config), Needs.of(config, "int8")
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    settings = Settings.load(cli=["engine.device=cuda", "engine.quantization=int8"])
    loaded = weights.load(folder, config, settings.engine, lambda _done: None)
    peak = torch.cuda.max_memory_allocated() - before
    rounding = plain.largest + 3 * 4 * int8._ROUNDED
    # Allocations have 512 bytes at least; a layer has some twenty, and is tried after loading.
    assert peak <= small.weights + rounding + 4 * 20 * 512 + (1 << 22)
    assert sum(parameter.nbytes for parameter in loaded.parameters()) == small.weights


@pytest.mark.parametrize(
    "params", [{}, {"presence_penalty": 1.0, "frequency_penalty": 0.5, "logit_bias": ((9, 2.0),)}]
)
def test_a_decode_step_waits_for_the_gpu_once(params: dict[str, Any]) -> None:
    runner = make_runner("gpt_bigcode")
    request = ask([5, 6, 7, 8], **params)
    request.slot = 0
    runner.step([Work(request, 0, 3, sample=True)])
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            runner.step([Work(request, 3, 1, sample=True)])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    waits = [w for w in caught if "synchronizing" in str(w.message)]
    assert len(waits) == 1, [f"{w.filename}:{w.lineno}" for w in waits]


def test_a_hundred_cancelled_requests_leave_the_memory_as_it_was() -> None:
    running = generation(make_runner("gpt_bigcode"))

    def cancelled(number: int) -> None:
        request = ask([number + 5] * 60)
        running.add(request)
        running.step()
        request.cancelled = True
        running.step()

    cancelled(0)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    for number in range(100):
        cancelled(number)
    assert running.idle
    assert torch.cuda.memory_allocated() == before
