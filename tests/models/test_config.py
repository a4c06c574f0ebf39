"""config.json: only plain models of the two architectures get through."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM, LlamaConfig, LlamaForCausalLM

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import config as model_config
from tests.models.checkpoints import BIGCODE, LLAMA, write_config


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"multi_query": False},
        {"n_inner": None},
        {"tie_word_embeddings": False},
    ],
)
def test_gpt_bigcode_tensors_are_those_of_transformers(changes: dict[str, Any]) -> None:
    config = {k: v for k, v in (BIGCODE | changes).items() if k != "model_type"}
    with torch.device("meta"):
        model = GPTBigCodeForCausalLM(GPTBigCodeConfig(**config))
    compare(model, BIGCODE | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"attention_bias": True, "mlp_bias": True},
        {"head_dim": 8},
        {"tie_word_embeddings": True},
        {"num_key_value_heads": None},
    ],
)
def test_llama_tensors_are_those_of_transformers(changes: dict[str, Any]) -> None:
    config = {k: v for k, v in (LLAMA | changes).items() if k != "model_type"}
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**config))
    compare(model, LLAMA | changes)


def compare(model: torch.nn.Module, config: dict[str, Any]) -> None:
    """Parameters of the model (a tied one counts once) against our table."""
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    expected = model_config.tensors(config)
    if not model_config.tied(config):
        assert expected == shapes
    else:
        assert expected == {n: s for n, s in shapes.items() if n != "lm_head.weight"}


@pytest.mark.fault("S11")
@pytest.mark.parametrize(
    "key",
    ["auto_map", "trust_remote_code", "_attn_implementation_internal", "attn_implementation"],
)
def test_a_config_that_could_run_code_is_refused(tmp_path: Path, key: str) -> None:
    write_config(tmp_path, BIGCODE | {key: "evil/repository"})
    with pytest.raises(ModelError, match=rf"config\.json asks for code of its own \({key}\)"):
        model_config.read(tmp_path)


@pytest.mark.parametrize("kind", ["gpt2", "mistral", "../llama", None, 3])
def test_another_architecture_is_refused_by_name(tmp_path: Path, kind: object) -> None:
    write_config(tmp_path, model_type=kind)
    with pytest.raises(ModelError, match="supported: gpt_bigcode, llama"):
        model_config.read(tmp_path)


def test_another_class_of_a_known_architecture_is_refused(tmp_path: Path) -> None:
    write_config(tmp_path, architectures=["GPTBigCodeForTokenClassification"])
    with pytest.raises(ModelError, match="not of GPTBigCodeForCausalLM"):
        model_config.read(tmp_path)


def test_quantized_weights_are_refused(tmp_path: Path) -> None:
    write_config(tmp_path, quantization_config={"quant_method": "gptq"})
    with pytest.raises(ModelError, match="quantized weights"):
        model_config.read(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_embd": "wide"},
        {"n_embd": None},
        {"n_head": 0},
        {"n_embd": -4},
        {"n_layer": 0},
        {"n_layer": 10**9},
        {"vocab_size": 1 << 40},
        {"n_positions": 0},
    ],
)
def test_senseless_sizes_are_damage(tmp_path: Path, changes: dict[str, object]) -> None:
    write_config(tmp_path, BIGCODE | changes)
    with pytest.raises(ModelError, match=r"config\.json is damaged"):
        model_config.read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "<html>", "\udcff"])
def test_a_config_that_is_not_a_json_object_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"config\.json is damaged"):
        model_config.read(tmp_path)


def test_a_written_config_keeps_only_what_the_architecture_needs(tmp_path: Path) -> None:
    config = LLAMA | {"rope_theta": 5e5, "torch_dtype": "float32", "summary_type": "x", "a": 1}
    model_config.write(tmp_path, config)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written == LLAMA | {"rope_theta": 5e5, "dtype": "bfloat16"}
    assert model_config.read(tmp_path) == written
