"""Weights of one byte: how far they are off, what is computed with them, and how they are read."""

import logging
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opencoder_lsp.engine import int8, loading, quantizing, weights
from opencoder_lsp.engine.int8 import Int8Linear, quantized
from opencoder_lsp.settings import Settings
from tests.engine.test_loading import PROMPT, answer, load
from tests.fakes.checkpoints import Architecture, make_checkpoint, make_model

ARCHITECTURES: list[Architecture] = ["gpt_bigcode", "llama"]
TYPES = [torch.bfloat16, torch.float32]


def wide(integers: Tensor, scales: Tensor) -> Tensor:
    """Return the numbers that integers and scales stand for."""
    return integers.float() * scales.float()[:, None]


def make_layer(
    inputs: int = 64, outputs: int = 48, *, bias: bool = True, dtype: torch.dtype = torch.float32
) -> tuple[Int8Linear, Tensor]:
    """Make a layer of random numbers; returns it and the weight that it stands for."""
    torch.manual_seed(0)
    layer = Int8Linear(inputs, outputs, bias, dtype=dtype)
    integers, scales = quantized(torch.randn(outputs, inputs).to(dtype))
    layer.weight.data, layer.weight_scale.data = integers, scales
    if layer.bias is not None:
        layer.bias.data = torch.randn(outputs).to(dtype)
    return layer, wide(integers, scales)


@pytest.mark.parametrize("dtype", TYPES)
def test_no_weight_is_off_by_more_than_half_a_step(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    weight = (torch.randn(50, 70) * torch.logspace(-6, 3, 50)[:, None]).to(dtype)
    integers, scales = quantized(weight)
    assert (integers.dtype, scales.dtype) == (torch.int8, dtype)
    assert integers.abs().amax(1).tolist() == [127] * 50
    # A scale that was rounded down lets the largest weight of its row be cut off a little.
    cut = 127 * torch.finfo(dtype).eps
    steps = (wide(integers, scales) - weight.float()).abs() / scales.float()[:, None]
    assert steps.max() <= max(0.5, cut) + 0.01


def test_a_row_of_zeros_stays_one_and_what_is_not_finite_is_not_hidden() -> None:
    weight = torch.ones(4, 8)
    weight[1] = 0
    weight[2, 3] = float("nan")
    weight[3, 3] = float("inf")
    numbers = wide(*quantized(weight))
    assert torch.equal(numbers[0], weight[0])
    assert torch.equal(numbers[1], weight[1])
    assert not numbers[2:].isfinite().any()


def test_blocks_of_rows_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, weight = make_layer(bias=False)
    rows = torch.randn(20, 64)
    whole, product = quantized(weight), layer(rows)
    monkeypatch.setattr(int8, "_BLOCK", 64 * 7)
    monkeypatch.setattr(int8, "_ROUNDED", 64 * 5)
    assert all(map(torch.equal, quantized(weight), whole))
    torch.testing.assert_close(layer(rows), product)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("count", [0, 1, 5, 32, 33, 70])
def test_a_product_is_that_of_the_numbers_with_and_without_torchs_kernel(
    count: int, bias: bool, dtype: torch.dtype
) -> None:
    layer, weight = make_layer(bias=bias, dtype=dtype)
    rows = torch.randn(2, count, 128).to(dtype)[:1, :, 32:96]  # not all in one piece
    expected = F.linear(rows.float(), weight, None if layer.bias is None else layer.bias.float())
    tolerance = 4 * torch.finfo(dtype).eps
    # Sums in another order differ, most visibly where they come out near zero.
    near_zero = 8 * tolerance * weight.abs().max().item()
    for layer.few in (0, int8._FEW):
        product = layer(rows)
        assert product.dtype == dtype
        torch.testing.assert_close(product.float(), expected, rtol=tolerance, atol=near_zero)


def test_torchs_kernel_is_used_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []
    kernel = torch._weight_int8pack_mm

    def spy(rows: Tensor, *rest: Tensor) -> Tensor:
        calls.append(tuple(rows.shape))
        return kernel(rows, *rest)

    fitting, odd = make_layer()[0], make_layer(inputs=40)[0]
    assert int8.use_kernel(nn.ModuleList([fitting, odd])) == 1
    monkeypatch.setattr(torch, "_weight_int8pack_mm", spy)
    for layer in (fitting, odd):
        layer(torch.randn(2, layer.in_features))
        layer(torch.randn(int8._FEW + 1, layer.in_features))
    assert calls == [(2, 64)]


def broken(rows: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Be a torch whose kernel has a fault."""
    raise RuntimeError("not for this CPU\nand a long trace")


def wrong(rows: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Be a torch whose kernel means something else by its arguments."""
    return rows @ weight.to(rows.dtype).T


@pytest.mark.parametrize(("kernel", "says"), [(broken, "not for this CPU"), (wrong, "(48, 64)")])
def test_a_kernel_that_fails_or_gives_other_numbers_is_not_used_and_the_log_says_so_once(
    kernel: Any, says: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    layers = [make_layer()[0] for _ in range(2)]
    monkeypatch.setattr(torch, "_weight_int8pack_mm", kernel)
    with caplog.at_level(logging.INFO):
        assert int8.use_kernel(nn.ModuleList(layers)) == 0
    assert [layer.few for layer in layers] == [0, 0]
    [record] = caplog.records
    assert says in record.getMessage()


def rounded(model: Any) -> Any:
    """Return a plain model whose layers have the numbers that int8 weights stand for."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name != "lm_head":
            module.weight.data = wide(*quantized(module.weight.data))
    return model


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("gpt_bigcode", {}),
        ("gpt_bigcode", {"multi_query": False}),
        ("llama", {}),
        ("llama", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
    ],
)
def test_an_engine_with_int8_weights_says_what_generate_says_with_their_numbers(
    architecture: Architecture, changes: dict[str, Any], tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "tiny", make_model(architecture, **changes))
    loaded = load(folder, "engine.quantization=int8", "engine.dtype=float32")
    plain = rounded(type(make_model(architecture)).from_pretrained(folder, dtype=torch.float32))
    ids = torch.tensor([PROMPT])
    expected = plain.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=8,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    assert answer(loaded, stop_ids=frozenset())[0] == expected[0, len(PROMPT) :].tolist()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_linear_layers_are_quantized_but_the_output_layer(
    architecture: Architecture, tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "tiny", make_model(architecture))
    settings = Settings.load(cli=["engine.device=cpu", "engine.quantization=int8"])
    progress: list[float] = []
    _, config = weights.check(folder)
    model = weights.load(folder, config, settings.engine, progress.append)
    kinds = {type(module) for module in model.base_model.modules()}
    assert Int8Linear in kinds
    assert nn.Linear not in kinds
    assert not isinstance(model.get_output_embeddings(), Int8Linear)
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_weight_is_rounded_and_let_go_before_the_next_one_is_read(
    architecture: Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def spy(weight: Tensor) -> tuple[Tensor, Tensor]:
        alive.append(sum(one() is not None for one in read))
        read.append(weakref.ref(weight))
        return quantized(weight)

    monkeypatch.setattr(quantizing, "quantized", spy)
    folder = make_checkpoint(tmp_path / "tiny", make_model(architecture))
    load(folder, "engine.quantization=int8", "engine.dtype=bfloat16")
    assert alive == [0] * {"gpt_bigcode": 8, "llama": 14}[architecture]


def test_the_files_stay_as_they_are_and_load_unquantized_again(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "tiny")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    settings = Settings.load(cli=["engine.device=cpu", "engine.quantization=int8"])
    loading.load(folder, settings, lambda _done: None)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    plain = load(folder, "engine.dtype=float32")
    small = load(folder, "engine.dtype=float32", "engine.quantization=int8")
    assert (plain.dtype, small.dtype) == ("float32", "float32")
    assert plain.kv_bytes == small.kv_bytes
