"""What a model must read for a token, and keep for each: computed from its config.json."""

from pathlib import Path

from opencoder_lsp.models import config as model_config
from opencoder_lsp.models.needs import Needs, Quantization, size_of

_BYTES = {"bfloat16": 2, "float32": 4}  # of a number, by the engine's dtype
# Of these a token reads one row, unless the embedding is the output layer, too.
_ROWS_ONLY = ("transformer.wpe.weight",)
_EMBEDDINGS = ("transformer.wte.weight", "model.embed_tokens.weight")


def weights_read(folder: Path, dtype: str, quantization: Quantization = "none") -> int:
    """Return the bytes of weights that one decode step of the model in `folder` reads."""
    config = model_config.read(folder)
    skipped = _ROWS_ONLY if model_config.tied(config) else (*_ROWS_ONLY, *_EMBEDDINGS)
    return sum(
        size_of(name, shape, quantization, _BYTES[dtype])
        for name, shape in model_config.tensors(config).items()
        if name not in skipped
    )


def kv_bytes_per_token(folder: Path, dtype: str) -> int:
    """Return 2 × layers × key-value heads × head size × bytes of a number."""
    return Needs.of(model_config.read(folder), number=_BYTES[dtype]).per_token
