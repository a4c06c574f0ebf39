"""Tiny random models in the forms in which models are published."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import pre_tokenizers

from opencoder_lsp.models import config as model_config
from opencoder_lsp.models.tokenizer_files import _STARCODER_CONTROL

ID = "openchat/opencoderplus"
SHARDS = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
EOT = "<|end_of_turn|>"
BIGCODE: dict[str, Any] = {
    "model_type": "gpt_bigcode",
    "architectures": ["GPTBigCodeForCausalLM"],
    "n_embd": 16,
    "n_head": 4,
    "n_layer": 2,
    "n_inner": 32,
    "n_positions": 64,
    "multi_query": True,
    "vocab_size": 279,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "vocab_size": 300,
}


def random_weights(
    config: Mapping[str, Any] = BIGCODE, dtype: torch.dtype = torch.bfloat16
) -> dict[str, torch.Tensor]:
    """Weights of every shape that `config` asks for, the same at each call."""
    generator = torch.Generator().manual_seed(7)
    return {
        name: torch.randn(shape, generator=generator).mul(0.1).to(dtype)
        for name, shape in model_config.tensors(dict(config)).items()
    }


def write_config(folder: Path, config: Mapping[str, Any] = BIGCODE, **changes: object) -> None:
    """Write config.json; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")


def write_vocabulary(folder: Path, *, eot: bool = True) -> None:
    """
    Write vocab.json, merges.txt and added_tokens.json of StarCoder's kind: control tokens from 0,
    the 256 bytes, three merges, and `<|end_of_turn|>` as the added id 278.
    """
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"), ("Ċ", "ĠĠĠĠ")]
    tokens = [*_STARCODER_CONTROL, *alphabet, *("".join(m) for m in merges)]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}), "utf-8")
    lines = ["#version: 0.2", *(" ".join(m) for m in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    special = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special), "utf-8")
    if eot:
        (folder / "added_tokens.json").write_text(json.dumps({EOT: len(tokens)}), "utf-8")


def write_shards(folder: Path, weights: Mapping[str, torch.Tensor], *, pickled: bool) -> None:
    """Write `weights` as two shards with their index, safetensors or .bin."""
    names = list(weights)
    half = len(names) // 2
    stem, end = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    index = dict[str, str]()
    for number, part in enumerate((names[:half], names[half:]), 1):
        file = f"{stem}-{number:05}-of-00002.{end}"
        shard = {name: weights[name] for name in part}
        if pickled:
            torch.save(shard, folder / file)
        else:
            save_file(shard, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(part, file)
    content = json.dumps({"metadata": {}, "weight_map": index})
    (folder / f"{stem}.{end}.index.json").write_text(content, encoding="utf-8")


def write_model(
    folder: Path, *, pickled: bool = False, dtype: torch.dtype = torch.bfloat16
) -> dict[str, torch.Tensor]:
    """Write a whole GPTBigCode repository in two shards; returns its weights."""
    weights = random_weights(dtype=dtype)
    write_config(folder)
    write_vocabulary(folder)
    write_shards(folder, weights, pickled=pickled)
    return weights


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by name, as the fake hub serves it."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def weights_in(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a pulled model."""
    found = dict[str, torch.Tensor]()
    for path in folder.glob("*.safetensors"):
        found |= load_file(path)
    return found


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    """Whether two checkpoints are equal to the last bit."""
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)
