"""
Complete tiny model folders, as `models pull` leaves them: weights, tokenizer.json, manifest.

Their vocabulary has 49,153 ids like OpenCoderPlus': 0 is `<|endoftext|>` and 49152
`<|end_of_turn|>`; in between stand the 256 bytes, some merged words and fillers.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM, LlamaConfig, LlamaForCausalLM

from opencoder_lsp.models.manifest import Manifest

VOCABULARY = 49153
END_OF_TEXT, END_OF_TURN = 0, 49152
CONTEXT = 256
Architecture = Literal["gpt_bigcode", "llama"]
WORDS = ("return", "Ġreturn", "Ġreal", "Ġself", "self", "ĠĠĠĠ", "ĠĠ", "Ã©")


def make_tokenizer() -> Tokenizer:
    """Make a byte-level BPE tokenizer of `VOCABULARY` ids."""
    merges = [(word[:end], word[end]) for word in WORDS for end in range(1, len(word))]
    merges = list(dict.fromkeys(merges))
    tokens = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokens += dict.fromkeys(left + right for left, right in merges)
    tokens += [f"filler{n}" for n in range(len(tokens), END_OF_TURN)]
    vocabulary = {token: id for id, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    control = ("<|endoftext|>", "<|end_of_turn|>")
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in control])
    return tokenizer


def make_model(architecture: Architecture = "gpt_bigcode", seed: int = 0, **changes: Any) -> Any:
    """Make a random model of two layers in float32; `changes` go into its config."""
    torch.manual_seed(seed)
    if architecture == "gpt_bigcode":
        small = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
        ends = {"bos_token_id": 0, "eos_token_id": 0}
        config = GPTBigCodeConfig(**{"vocab_size": VOCABULARY, **ends, **small, **changes})
        return GPTBigCodeForCausalLM(config).eval()
    small = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT}
    return LlamaForCausalLM(
        LlamaConfig(**{"vocab_size": VOCABULARY, **small, **heads, **changes})
    ).eval()


def make_scripted(script: Mapping[int, int], otherwise: int = 300) -> Any:
    """
    Make a GPTBigCode model that says what it is told to.

    After a token at position p the likeliest next one is `script[p]`, or `otherwise`: blocks add
    nothing, and each position's embedding points at one token's (a basis vector).
    """
    model = make_model()
    ids = sorted({otherwise, *script.values()})
    assert len(ids) <= model.config.n_embd
    with torch.no_grad():
        for block in model.transformer.h:
            for projection in (block.attn.c_proj, block.mlp.c_proj):
                projection.weight.zero_()
                projection.bias.zero_()
        embedding, positions = model.transformer.wte.weight, model.transformer.wpe.weight
        embedding.zero_()
        positions.zero_()
        for axis, id in enumerate(ids):
            embedding[id, axis] = 1.0
        for position in range(CONTEXT):
            positions[position, ids.index(script.get(position, otherwise))] = 100.0
    return model


def make_checkpoint(
    folder: Path,
    model: Any = None,
    *,
    name: str = "tiny",
    shards: bool = True,
    pickled: bool = False,
) -> Path:
    """Write a model in bfloat16, in two shards or one file, with all that belongs to it."""
    folder.mkdir(parents=True, exist_ok=True)
    model = (model or make_model()).to(torch.bfloat16)
    model.save_pretrained(folder, max_shard_size=_half(model) if shards else "5GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    if pickled:
        for file in folder.glob("model*.safetensors*"):
            file.unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    make_tokenizer().save(str(folder / "tokenizer.json"))
    write_manifest(folder, name)
    return folder


def write_manifest(
    folder: Path, name: str = "tiny", architecture: Architecture | None = None
) -> None:
    """Record the files as they are now."""
    (folder / "opencoder.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    Manifest(
        name=name,
        architecture=architecture or config["model_type"],
        template="opencoder",
        stop_ids=[END_OF_TURN, END_OF_TEXT],
        context_length=CONTEXT,
        licence="none",
        source="made by a test",
        files=Manifest.record(folder),
        weights=True,
    ).save(folder)


def _half(model: Any) -> int:
    """Return a shard size, in bytes, that makes two shards of these weights."""
    sizes = {int(p.data_ptr()): int(p.numel()) * 2 for p in model.parameters()}
    return max(max(sizes.values()), sum(sizes.values()) // 2) + 1
