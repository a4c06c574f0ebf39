"""Conversion of GGUF files: exact weights, and the tokenizer that the file asks for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, dequantize, quantize
from safetensors.torch import load_file
from tokenizers import Tokenizer

from opencoder_lsp.engine import convert
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import assemble


def ignore(stage: str, done: int, total: int | None) -> None:
    """A progress callback that does nothing."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder for the result."""
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def write_gguf(
    path: Path,
    *,
    pre: str = "smollm",
    model: str = "gpt2",
    weights: dict[str, tuple[np.ndarray, GGMLQuantizationType]] | None = None,
) -> None:
    """A GGUF file of a one-layer LLaMA, with a tokenizer of a few tokens."""
    writer = GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(5000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(7)
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["<|endoftext|>", "Ġ", "1", "2", "ĠĠ", "12", "<user>"])
    writer.add_token_types([3, 1, 1, 1, 1, 1, 4])
    writer.add_token_merges(["Ġ Ġ", "1 2"])
    for name, (tensor, kind) in (weights or {}).items():
        writer.add_tensor(name, tensor, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("pre", "tokens"), [("smollm", ["ĠĠ", "1", "2"]), ("gpt-2", ["Ġ", "Ġ", "12"])]
)
def test_digits_are_split_where_the_gguf_asks_for_it(
    tmp_path: Path, pre: str, tokens: list[str]
) -> None:
    write_gguf(tmp_path / "x.gguf", pre=pre)
    assert convert.gguf_tokenizer(tmp_path / "x.gguf").encode("  12").tokens == tokens


def test_control_and_user_defined_tokens_of_a_gguf_keep_their_kind(tmp_path: Path) -> None:
    write_gguf(tmp_path / "x.gguf")
    tokenizer = convert.gguf_tokenizer(tmp_path / "x.gguf")
    added = {t.content: t.special for t in tokenizer.get_added_tokens_decoder().values()}
    assert added == {"<|endoftext|>": True, "<user>": False}


@pytest.mark.parametrize("change", [{"pre": "qwen2"}, {"model": "llama"}])
def test_a_gguf_with_another_tokenizer_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_gguf(tmp_path / "x.gguf", **change)
    with pytest.raises(ModelError, match=r"x\.gguf has a tokenizer of kind .* not supported"):
        convert.gguf_tokenizer(tmp_path / "x.gguf")


GGUF_NAMES = {
    "attn_q": ("self_attn.q_proj", (64, 64)),
    "attn_k": ("self_attn.k_proj", (32, 64)),
    "attn_v": ("self_attn.v_proj", (32, 64)),
    "attn_output": ("self_attn.o_proj", (64, 64)),
    "ffn_gate": ("mlp.gate_proj", (96, 64)),
    "ffn_up": ("mlp.up_proj", (96, 64)),
    "ffn_down": ("mlp.down_proj", (64, 96)),
}
HEADS = {"attn_q": 2, "attn_k": 1}


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of q and k in the order of llama.cpp, which pairs neighbours in its rotary embedding."""
    count, width = rows.shape
    halves = rows.reshape(heads, 2, count // heads // 2, width)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(count, width)


def test_a_gguf_is_dequantized_exactly_and_rounded_once(tmp_path: Path, target: Path) -> None:
    random, q4 = np.random.default_rng(7), GGMLQuantizationType.Q4_1
    norms = ("blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight")
    weights: dict[str, tuple[np.ndarray, GGMLQuantizationType]] = {
        name: (random.random(64, dtype=np.float32), GGMLQuantizationType.F32) for name in norms
    }
    embedding = quantize(random.random((7, 64), dtype=np.float32), GGMLQuantizationType.Q8_0)
    weights["token_embd.weight"] = (embedding, GGMLQuantizationType.Q8_0)
    expected = {
        "model.embed_tokens.weight": dequantize(embedding, GGMLQuantizationType.Q8_0),
        "model.norm.weight": weights["output_norm.weight"][0],
        "model.layers.0.input_layernorm.weight": weights["blk.0.attn_norm.weight"][0],
        "model.layers.0.post_attention_layernorm.weight": weights["blk.0.ffn_norm.weight"][0],
    }
    for name, (ours, shape) in GGUF_NAMES.items():
        # Quantization is by row, so that reordering rows and quantizing commute.
        plain = random.random(shape, dtype=np.float32) - 0.5
        stored = interleaved(plain, HEADS[name]) if name in HEADS else plain
        weights[f"blk.0.{name}.weight"] = (quantize(stored, q4), q4)
        expected[f"model.layers.0.{ours}.weight"] = dequantize(quantize(plain, q4), q4)
    write_gguf(tmp_path / "x.gguf", weights=weights)
    convert.convert_gguf(tmp_path / "x.gguf", target, ignore)
    converted = load_file(target / "model.safetensors")
    assert converted.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(converted[name], torch.tensor(tensor).bfloat16()), name
    settings = assemble.check(target, weights=True)
    assert settings["rope_parameters"]["rope_theta"] == 5000.0
    assert (settings["max_position_embeddings"], settings["num_key_value_heads"]) == (128, 1)


def test_the_tokenizer_of_a_gguf_is_converted_alone(tmp_path: Path, target: Path) -> None:
    write_gguf(tmp_path / "x.gguf")
    convert.convert_gguf_tokenizer(tmp_path / "x.gguf", target, ignore)
    assert sorted(p.name for p in target.iterdir()) == ["config.json", "tokenizer.json"]
    assemble.check(target, weights=False)


@pytest.fixture(scope="module")
def demo(demo_home: Path) -> Path:
    """The folder of the real demo model."""
    return demo_home / "data" / "models" / "demo"


def test_the_demo_model_takes_digits_one_by_one(demo: Path) -> None:
    tokenizer = Tokenizer.from_file(str(demo / "tokenizer.json"))
    ids = tokenizer.encode("\n    1").ids
    assert [tokenizer.decode([i]) for i in ids] == ["\n    ", "1"]
    assert tokenizer.encode("x = 2024").tokens == ["x", "Ġ=", "Ġ", "2", "0", "2", "4"]


def test_the_demo_model_has_the_control_tokens_and_the_config_of_the_original(demo: Path) -> None:
    tokenizer = Tokenizer.from_file(str(demo / "tokenizer.json"))
    special = {i: t.content for i, t in tokenizer.get_added_tokens_decoder().items() if t.special}
    assert len(special) == 17
    assert (special[0], special[1], special[2]) == ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    settings = assemble.check(demo, weights=True)
    assert settings["max_position_embeddings"] == 8192
    assert settings["rope_parameters"]["rope_theta"] == 100_000
    assert settings["tie_word_embeddings"] is True


def test_the_demo_model_answers_sensibly(demo: Path) -> None:
    from transformers import AutoModelForCausalLM

    tokenizer = Tokenizer.from_file(str(demo / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(demo, dtype=torch.bfloat16)
    question = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    ids = torch.tensor([tokenizer.encode(question).ids])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False
    )
    assert "Paris" in tokenizer.decode(made[0, ids.shape[1] :].tolist())
    assert made[0, -1] == 2
