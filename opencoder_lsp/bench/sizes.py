"""What a model must read for a token, and keep for each: computed from its config.json."""

import math
from pathlib import Path

from opencoder_lsp.models import config as model_config

_BYTES = {"bfloat16": 2, "float32": 4}  # of a number, by the engine's dtype
# Of these a token reads one row, unless the embedding is the output layer, too.
_ROWS_ONLY = ("transformer.wpe.weight",)
_EMBEDDINGS = ("transformer.wte.weight", "model.embed_tokens.weight")


def weights_read(folder: Path, dtype: str) -> int:
    """Return the bytes of weights that one decode step of the model in `folder` reads."""
    config = model_config.read(folder)
    skipped = _ROWS_ONLY if model_config.tied(config) else (*_ROWS_ONLY, *_EMBEDDINGS)
    shapes = model_config.tensors(config)
    return _BYTES[dtype] * sum(
        math.prod(shape) for name, shape in shapes.items() if name not in skipped
    )


def kv_bytes_per_token(folder: Path, dtype: str) -> int:
    """Return 2 × layers × key-value heads × head size × bytes of a number."""
    config = model_config.read(folder)
    if config["model_type"] == "gpt_bigcode":
        layers, heads = int(config["n_layer"]), int(config["n_head"])
        head = int(config["n_embd"]) // heads
        kv_heads = 1 if config.get("multi_query", True) else heads
    else:
        layers, heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        head = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
        kv_heads = int(config.get("num_key_value_heads") or heads)
    return 2 * layers * kv_heads * head * _BYTES[dtype]
