"""Fused layers against transformers' own: the same numbers for whatever a config may say."""

import logging
import weakref
from typing import Any

import pytest
import torch
from transformers.models.gpt_bigcode.modeling_gpt_bigcode import GPTBigCodeBlock
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm

from opencoder_lsp.engine import attention, fused_gpt_bigcode, fused_llama, fusing, packing
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.fused_layer import FusedLayer
from tests.engine.test_packing import packs
from tests.engine.test_runner import PROMPTS, VOCABULARY, ask, generation, output, run
from tests.engine.test_runner import make_runner as make_fused_runner
from tests.fakes.checkpoints import CONTEXT, Architecture, make_model

SCALED = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
LLAMAS: list[dict[str, Any]] = [
    {},
    {"attention_bias": True, "mlp_bias": True},
    {"num_key_value_heads": 4},
    {"num_key_value_heads": 1},
    {"head_dim": 32},
    {"hidden_act": "gelu"},
    {"rms_norm_eps": 0.1},
    {"rope_parameters": SCALED},
    {"tie_word_embeddings": True},
]
BIGCODES: list[dict[str, Any]] = [
    {},
    {"multi_query": False},
    {"n_inner": 96},
    {"activation_function": "relu"},
    {"layer_norm_epsilon": 0.1},
    {"scale_attn_weights": False},
    {"tie_word_embeddings": False},
]
KINDS = [
    *(("llama", changes) for changes in LLAMAS),
    *(("gpt_bigcode", changes) for changes in BIGCODES),
]
ARCHITECTURES: list[Architecture] = ["llama", "gpt_bigcode"]
LAYERS = {"llama": fused_llama.Layer, "gpt_bigcode": fused_gpt_bigcode.Layer}


def make(architecture: Architecture = "llama", **changes: Any) -> Any:
    """Make a model as `weights.load` does, whose biases and norms do something, too."""
    attention.register()
    model = make_model(architecture, vocab_size=VOCABULARY, **changes)
    model.set_attn_implementation(attention.NAME)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.data.add_(torch.randn_like(parameter), alpha=0.3)
    return model.requires_grad_(False)


def plain_layers(model: Any) -> int:
    return sum(
        isinstance(module, (LlamaDecoderLayer, GPTBigCodeBlock)) for module in model.modules()
    )


@pytest.mark.parametrize(("architecture", "changes"), KINDS, ids=str)
def test_a_fused_model_says_what_generate_says(
    architecture: Architecture, changes: dict[str, Any]
) -> None:
    fused, plain = make(architecture, **changes), make(architecture, **changes)
    plain.set_attn_implementation("sdpa")
    runner = make_fused_runner(fused)
    assert plain_layers(fused) == 0
    for prompt in PROMPTS:
        request = ask(prompt)
        run(generation(runner), request)
        ids = torch.tensor([prompt])
        expected = plain.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=request.output_tokens,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert output(request) == expected[0, len(prompt) :].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 3, 16, 17, 300])
def test_a_norm_is_the_plain_one(rows: int, dtype: torch.dtype) -> None:
    torch.manual_seed(rows)
    plain = LlamaRMSNorm(96, eps=1e-3).to(dtype).requires_grad_(False)
    plain.weight.add_(torch.randn(96), alpha=0.3)
    inputs = (5 * torch.randn(1, rows, 96)).to(dtype)
    one = 2 * torch.finfo(dtype).eps
    torch.testing.assert_close(fused_llama.Norm(plain)(inputs), plain(inputs), rtol=one, atol=one)


def test_a_model_on_several_devices_is_left_as_it_is() -> None:
    model = make()
    model.model.layers[1].to("meta")
    assert fusing.fuse(model) == 0
    assert plain_layers(model) == 2


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layers_that_give_other_numbers_are_not_taken_and_the_log_says_so_once(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    layer = LAYERS[architecture]
    right = layer.forward
    monkeypatch.setattr(
        layer, "__call__", lambda *a, **k: right(*a, **k) * (1 + 2**-10), raising=True
    )
    model = make(architecture)
    with caplog.at_level(logging.INFO):
        assert fusing.fuse(model) == 0
    assert plain_layers(model) == 2
    [record] = caplog.records
    assert "not fused: they differ" in record.getMessage()


def test_weights_of_many_queries_and_one_key_are_not_copied() -> None:
    model = make("gpt_bigcode")
    before = {parameter.data_ptr() for parameter in model.parameters()}
    assert fusing.fuse(model) == 2
    assert {parameter.data_ptr() for parameter in model.parameters()} == before


def test_weights_that_were_joined_are_freed() -> None:
    model = make()
    layer = model.model.layers[0]
    joined = [
        layer.self_attn.q_proj,
        layer.self_attn.v_proj,
        layer.mlp.gate_proj,
        layer.mlp.up_proj,
    ]
    plain = [weakref.ref(one.weight) for one in joined]
    kept = weakref.ref(layer.mlp.down_proj.weight)
    del layer, joined
    assert fusing.fuse(model) == 2
    assert [weight() for weight in plain] == [None] * 4
    assert kept() is not None


@packs
@pytest.mark.parametrize(
    ("architecture", "layers", "kv_heads"),
    [("llama", "num_hidden_layers", 2), ("gpt_bigcode", "n_layer", 1)],
)
def test_fused_layers_compute_with_weights_packed_behind_them(
    architecture: Architecture, layers: str, kv_heads: int
) -> None:
    ids = torch.arange(40)[None]
    plain = make(architecture, **{layers: 3}).to(torch.bfloat16)
    plain.set_attn_implementation("sdpa")
    expected = plain(ids).logits
    model = make(architecture, **{layers: 3}).to(torch.bfloat16)
    assert fusing.fuse(model) == 3
    assert packing.pack(model) == 4 * 3 + 1
    for layer in model.modules():
        if isinstance(layer, FusedLayer):
            assert isinstance(layer.qkv, packing.PackedLinear)
            assert layer._qkv == layer.qkv.forward
    layout = attention.Layout([attention.Segment(0, 0, 40, 0)])
    memory = SlotMemory([model.device] * 3, 1, kv_heads, CONTEXT, 16, torch.bfloat16)
    memory.begin(layout)
    logits = model(
        ids,
        position_ids=ids,
        past_key_values=memory,
        use_cache=True,
        layout=layout,
    ).logits
    torch.testing.assert_close(logits, expected, rtol=2**-5, atol=2**-5)
