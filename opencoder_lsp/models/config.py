"""
config.json of a model: what is allowed in it, and which tensors it asks for.

config.json comes with the weights from elsewhere and can name code to run (`auto_map`,
`_attn_implementation_internal`: CVE-2026-4372), so it is an allow-list: two architectures, and
only the keys that these need.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models.tokenizer_files import read_json

CONFIG = "config.json"
Architecture = Literal["gpt_bigcode", "llama"]
Shape = tuple[int, ...]

_CLASSES: dict[str, str] = {
    "gpt_bigcode": "GPTBigCodeForCausalLM",
    "llama": "LlamaForCausalLM",
}
_COMMON = {
    "architectures",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "initializer_range",
    "model_type",
    "pad_token_id",
    "tie_word_embeddings",
    "transformers_version",
    "unk_token_id",
    "use_cache",
    "vocab_size",
}
_KEYS = {
    "gpt_bigcode": _COMMON
    | {
        "activation_function",
        "add_cross_attention",
        "attention_softmax_in_fp32",
        "attn_pdrop",
        "embd_pdrop",
        "layer_norm_epsilon",
        "multi_query",
        "n_embd",
        "n_head",
        "n_inner",
        "n_layer",
        "n_positions",
        "num_key_value_heads",
        "resid_pdrop",
        "scale_attention_softmax_in_fp32",
        "scale_attn_weights",
    },
    "llama": _COMMON
    | {
        "attention_bias",
        "attention_dropout",
        "head_dim",
        "hidden_act",
        "hidden_size",
        "intermediate_size",
        "max_position_embeddings",
        "mlp_bias",
        "num_attention_heads",
        "num_hidden_layers",
        "num_key_value_heads",
        "pretraining_tp",
        "rms_norm_eps",
        "rope_parameters",
        "rope_scaling",
        "rope_theta",
    },
}
_CODE = ("auto_map", "trust_remote_code", "custom_pipelines")
_LARGEST = 1 << 31


def read(folder: Path) -> dict[str, Any]:
    """Read and check config.json of `folder`; raises ModelError naming what is refused."""
    config = read_json(folder / CONFIG)
    check(config, str(folder / CONFIG))
    return config


def write(folder: Path, config: dict[str, Any]) -> None:
    """Write config.json with only the keys that its architecture needs, for bf16 weights."""
    keys = _KEYS[architecture(config)]
    kept = {k: v for k, v in config.items() if k in keys}
    kept |= {"dtype": "bfloat16", "architectures": [_CLASSES[architecture(config)]]}
    (folder / CONFIG).write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", "utf-8")


def check(config: dict[str, Any], where: str) -> None:
    """Raise ModelError where `config` is of no known architecture, or could run foreign code."""
    refused = [key for key in config if key in _CODE or "attn_implementation" in key]
    if refused:
        raise ModelError(
            f"{where} asks for code of its own ({', '.join(sorted(refused))}); such models are "
            "refused. Remove these keys if the weights are of a plain architecture"
        )
    kind = config.get("model_type")
    if kind not in _CLASSES:
        raise ModelError(
            f"{where} is of architecture {kind!r}; supported: {', '.join(sorted(_CLASSES))}"
        )
    if config.get("quantization_config"):
        raise ModelError(f"{where} is of quantized weights, which are not supported; use bf16 ones")
    classes = config.get("architectures")
    if classes and classes != [_CLASSES[kind]]:
        raise ModelError(f"{where} is of {classes}, not of {_CLASSES[kind]}")
    try:
        numbers = [n for shape in tensors(config).values() for n in shape]
        context = context_length(config)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelError(f"{where} is damaged: {type(error).__name__} {error}") from None
    if min([context, *numbers]) <= 0 or max(numbers) > _LARGEST:
        raise ModelError(f"{where} is damaged: a size in it is out of range")


def architecture(config: dict[str, Any]) -> Architecture:
    """Return the architecture of a checked config."""
    return cast(Architecture, config["model_type"])


def context_length(config: dict[str, Any]) -> int:
    """Return how many positions the model has."""
    if config["model_type"] == "llama":
        return int(config.get("max_position_embeddings", 2048))
    return int(config.get("n_positions", 1024))


def vocabulary_size(config: dict[str, Any]) -> int:
    """Return the number of rows of the embedding."""
    return int(config["vocab_size"])


def tied(config: dict[str, Any]) -> bool:
    """Whether the output layer is the embedding (the default of transformers, by architecture)."""
    return bool(config.get("tie_word_embeddings", config["model_type"] == "gpt_bigcode"))


def tensors(config: dict[str, Any]) -> dict[str, Shape]:
    """
    Return name and shape of every tensor that a checkpoint of `config` must have.

    The names and layouts are those of transformers' GPTBigCodeForCausalLM and LlamaForCausalLM.
    """
    of = _llama if config["model_type"] == "llama" else _gpt_bigcode
    return dict(of(config))


def _gpt_bigcode(config: dict[str, Any]) -> Iterator[tuple[str, Shape]]:
    width, heads = int(config["n_embd"]), int(config["n_head"])
    inner = int(config.get("n_inner") or 4 * width)
    key_value = width // heads if config.get("multi_query", True) else width
    vocabulary = int(config["vocab_size"])
    yield "transformer.wte.weight", (vocabulary, width)
    yield "transformer.wpe.weight", (context_length(config), width)
    for layer in range(_layers(config["n_layer"])):
        at = f"transformer.h.{layer}."
        for norm in ("ln_1", "ln_2"):
            yield f"{at}{norm}.weight", (width,)
            yield f"{at}{norm}.bias", (width,)
        for name, rows, columns in (
            ("attn.c_attn", width + 2 * key_value, width),
            ("attn.c_proj", width, width),
            ("mlp.c_fc", inner, width),
            ("mlp.c_proj", width, inner),
        ):
            yield f"{at}{name}.weight", (rows, columns)
            yield f"{at}{name}.bias", (rows,)
    yield "transformer.ln_f.weight", (width,)
    yield "transformer.ln_f.bias", (width,)
    if not tied(config):
        yield "lm_head.weight", (vocabulary, width)


def _llama(config: dict[str, Any]) -> Iterator[tuple[str, Shape]]:
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or width // heads)
    key_value = int(config.get("num_key_value_heads") or heads) * head
    vocabulary = int(config["vocab_size"])
    yield "model.embed_tokens.weight", (vocabulary, width)
    for layer in range(_layers(config["num_hidden_layers"])):
        at = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{at}{norm}.weight", (width,)
        for name, rows, columns, bias in (
            ("self_attn.q_proj", heads * head, width, "attention_bias"),
            ("self_attn.k_proj", key_value, width, "attention_bias"),
            ("self_attn.v_proj", key_value, width, "attention_bias"),
            ("self_attn.o_proj", width, heads * head, "attention_bias"),
            ("mlp.gate_proj", inner, width, "mlp_bias"),
            ("mlp.up_proj", inner, width, "mlp_bias"),
            ("mlp.down_proj", width, inner, "mlp_bias"),
        ):
            yield f"{at}{name}.weight", (rows, columns)
            if config.get(bias):
                yield f"{at}{name}.bias", (rows,)
    yield "model.norm.weight", (width,)
    if not tied(config):
        yield "lm_head.weight", (vocabulary, width)


def _layers(number: Any) -> int:
    if not 0 < int(number) <= 1000:
        raise ValueError(f"{number} layers")
    return int(number)
