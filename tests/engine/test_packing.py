"""Packed weights against plain ones: the same numbers, no second copy, and a way back."""

import logging
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from opencoder_lsp.engine import packing, weights
from opencoder_lsp.engine.attention import Layout, Segment
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.settings import EngineSettings
from tests.fakes.checkpoints import make_checkpoint, make_model
from tests.fakes.runner import WAIT

ARCHITECTURES = ("gpt_bigcode", "llama")


def packable() -> bool:
    """Tell whether this computer's torch packs at all."""
    return packing.pack(torch.nn.Sequential(torch.nn.Linear(64, 64).bfloat16())) == 1


packs = pytest.mark.skipif(not packable(), reason="no packed bfloat16 weights on this CPU")


def bfloat16_model(architecture: Any = "llama", **changes: Any) -> Any:
    model = make_model(architecture, vocab_size=260, **changes).to(torch.bfloat16)
    return model.requires_grad_(False)


@packs
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 9, 64, 65, 300])
def test_a_packed_layer_gives_the_plain_product(rows: int, bias: bool) -> None:
    torch.manual_seed(rows)
    plain = torch.nn.Linear(192, 320, bias=bias).bfloat16().requires_grad_(False)
    packed = packing.PackedLinear(plain, packing._Operators())
    inputs = torch.randn(1, rows, 192).bfloat16()
    torch.testing.assert_close(
        packed(inputs), F.linear(inputs, plain.weight, plain.bias), rtol=2**-7, atol=2**-12
    )


@packs
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_model_has_no_plain_layer_and_the_same_logits(architecture: Any) -> None:
    ids = torch.arange(40)[None]
    model = bfloat16_model(architecture)
    expected = model(ids).logits
    layers = sum(isinstance(module, torch.nn.Linear) for module in model.modules())
    assert packing.pack(model) == layers > 8
    assert not any(isinstance(module, torch.nn.Linear) for module in model.modules())
    # Some products of a model differ by a rounding; what follows carries it on.
    torch.testing.assert_close(model(ids).logits, expected, rtol=2**-5, atol=2**-6)


@packs
@pytest.mark.parametrize("tied", [True, False])
def test_plain_weights_are_freed_but_for_a_tied_embedding(tied: bool) -> None:
    model = bfloat16_model(tie_word_embeddings=tied)
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    plain = [weakref.ref(module.weight) for module in linear]
    del linear
    packing.pack(model)
    assert sum(weight() is not None for weight in plain) == (1 if tied else 0)


@packs
def test_nothing_of_a_packed_model_lies_in_its_file(tmp_path: Path) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux tells what is mapped")
    folder = make_checkpoint(tmp_path / "tiny", make_model().to(torch.bfloat16))
    _, config = weights.check(folder)
    settings = EngineSettings(dtype="bfloat16", device="cpu")
    model = weights.load(folder, config, settings, lambda _: None)
    # A thread that has read may be about to let its part of the file go.
    patience = time.monotonic() + WAIT
    while str(folder) in maps.read_text() and time.monotonic() < patience:
        time.sleep(0.01)
    assert str(folder) not in maps.read_text()
    memory = SlotMemory.for_model(model, rows=8, slots=1)
    layout = Layout([Segment(slot=0, start=0, count=5, offset=0)])
    memory.begin(layout)
    ids = torch.arange(5)[None]
    step = model(ids, position_ids=ids, past_key_values=memory, layout=layout)
    assert step.logits.isfinite().all()


def test_float32_is_left_as_it_is() -> None:
    model = make_model("llama", vocab_size=260)
    assert packing.pack(model) == 0
    assert type(model.lm_head) is torch.nn.Linear


class _NoOperators:
    def __init__(self) -> None:
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute 'x'")


class _WrongOperators:
    def pack(self, weight: torch.Tensor, rows: int) -> torch.Tensor:
        return weight

    def linear(self, rows: torch.Tensor, weight: torch.Tensor, *_: Any) -> torch.Tensor:
        return F.linear(rows, weight) * 1.02


class _RefusingOperators(_WrongOperators):
    def linear(self, rows: torch.Tensor, weight: torch.Tensor, *_: Any) -> torch.Tensor:
        raise RuntimeError("could not create a primitive descriptor")


@packs
@pytest.mark.parametrize(
    ("operators", "cause"),
    [
        (_NoOperators, "no attribute"),
        (_WrongOperators, "differ from the plain product"),
        (_RefusingOperators, "could not create"),
    ],
)
def test_operators_that_do_not_fit_leave_the_model_plain_and_say_so_once(
    operators: Callable[[], Any],
    cause: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(packing, "_Operators", operators)
    model = bfloat16_model()
    before = dict(model.named_modules())
    with caplog.at_level(logging.INFO):
        assert packing.pack(model) == 0
    assert dict(model.named_modules()) == before
    [record] = caplog.records
    assert cause in record.getMessage()
