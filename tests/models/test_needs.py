"""The arithmetic of what a model takes, against models that torch builds without memory."""

from typing import Any

import pytest
import torch
import transformers

from opencoder_lsp.engine import int8, quantizing
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models.known import KNOWN, OPENCODERPLUS, KnownModel
from opencoder_lsp.models.needs import CUDA, Needs

MODELS = pytest.mark.parametrize("known", KNOWN.values(), ids=lambda model: model.name)


def build(shape: dict[str, Any], kind: str = "none", **changes: Any) -> Any:
    """Build a model of a shape, real size and all, on the meta device: it has no memory."""
    names = {
        "gpt_bigcode": (transformers.GPTBigCodeConfig, transformers.GPTBigCodeForCausalLM),
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    }
    config, of = names[shape["model_type"]]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            model = of(config(**shape, **changes))
            if kind == "int8":
                quantizing.replace(model)
    finally:
        torch.set_default_dtype(before)
    return model


def size(model: Any) -> int:
    """Return the bytes of all parameters; one that two modules share counts once."""
    return sum(parameter.nbytes for parameter in model.parameters())


@pytest.mark.parametrize("kind", ["none", "int8"])
@MODELS
def test_weights_are_what_torch_makes_of_the_real_shape(known: KnownModel, kind: Any) -> None:
    model, needs = build(known.shape, kind), Needs.of(known.shape, kind)
    assert needs.weights == size(model)
    layers = getattr(model.base_model, "h", None) or model.base_model.layers
    assert [size(layer) for layer in layers] == [needs.layer] * needs.layers
    products = [module for module in layers.modules() if hasattr(module, "in_features")]
    biases = sum(module.bias is not None for module in products)
    assert needs.largest == max(
        size(module) - (module.bias.nbytes if biases else 0) for module in products
    )
    if kind == "none":
        assert known.weights_bytes == needs.weights


@MODELS
def test_slots_are_what_the_engine_reserves_for_the_real_shape(known: KnownModel) -> None:
    model, needs = build(known.shape), Needs.of(known.shape)
    dim, heads = needs.token // 4, 1  # keys and values in bfloat16, as if they were of one head
    memory = SlotMemory([torch.device("meta")] * needs.layers, 2, heads, 8, dim, torch.bfloat16)
    assert memory.nbytes == 2 * 8 * needs.per_token
    assert needs.slot == needs.per_token * known.context_length
    config = model.config
    kv_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    if getattr(config, "multi_query", False):
        kv_heads = 1
    assert dim == kv_heads * config.hidden_size // config.num_attention_heads


def test_opencoderplus_takes_what_is_known_of_it() -> None:
    needs = Needs.of(OPENCODERPLUS.shape)
    parameters = sum(p.numel() for p in build(OPENCODERPLUS.shape).parameters())
    assert parameters == 15_517_456_384 + 6_144  # StarCoder, and one more token
    assert needs.weights == 2 * parameters
    assert (needs.per_token, needs.slot) == (20_480, 160 << 20)


def test_opencoderplus_in_int8_needs_no_more_than_17_gb_while_it_loads_and_when_it_runs() -> None:
    plain, small = Needs.of(OPENCODERPLUS.shape), Needs.of(OPENCODERPLUS.shape, "int8")
    assert small.total() <= 17e9
    # Reading the last weight: all others are there, this one in bfloat16, a block of its rows three
    # times in float32, and the mask of booleans that transformers makes.
    reading = plain.largest + 3 * 4 * int8._ROUNDED + 8192 * 8192
    assert small.weights + CUDA + reading <= 17e9


@pytest.mark.parametrize("number", [2, 4])
def test_a_number_of_four_bytes_doubles_all_but_int8_weights(number: int) -> None:
    shape = {**OPENCODERPLUS.shape, "n_layer": 3}
    needs, small = Needs.of(shape, number=number), Needs.of(shape, "int8", number=number)
    rows, columns = 0, 0
    for name, weight in model_config.tensors(shape).items():
        if name.startswith("transformer.h.") and len(weight) == 2:
            rows, columns = rows + weight[0], columns + weight[0] * weight[1]
    assert needs.weights - small.weights == columns * (number - 1) - rows * number
    assert needs.token == small.token == 2 * 128 * number


def test_a_shorter_context_takes_smaller_slots_and_steps() -> None:
    full, half = Needs.of(OPENCODERPLUS.shape), Needs.of(OPENCODERPLUS.shape, context=4096)
    assert half.slot * 2 == full.slot
    assert half.weights == full.weights
    assert half.work < full.work
