"""What memory a model takes, by arithmetic on its shape: nothing is loaded, torch is not needed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from opencoder_lsp.models import config as model_config

Quantization = Literal["none", "int8"]
KINDS: tuple[Quantization, ...] = ("none", "int8")
# Where a GPU holds part of a model it has, beside that, CUDA's context and cuBLAS' workspace.
CUDA = 500_000_000
# On a CPU it has torch itself, copies of weights in another order, and what steps take.
TORCH = 1_000_000_000
MOST_SLOTS = 8
# Shares of the free memory that slots may take. A CPU's is lent to programs of the user's, too.
SLOT_SHARE = {"cuda": 0.8, "cpu": 0.25}
ASKED_SHARE = 0.9  # for one slot, or as many as the user says; steps need some memory, too
LEAST_STEP = 64  # tokens; a prompt goes through the model in steps, shorter ones in less memory
# Bytes for each score that attention makes on its way: kernels that never hold the scores exist,
# but not for each mask, and the plain ones compute in float32 and hold three of each.
_SCORE = 12
_ACTIVATIONS = 4  # of each size that live at the same time in a layer


@dataclass(frozen=True)
class Needs:
    """
    Bytes of a model: `layer` of one layer's weights, `outside` of those in no layer (embeddings,
    the last norm, the output layer), `largest` of one weight; `token` of the keys and values of a
    token in one layer, `step` of what computing one token takes while it is computed, where its
    slot is full.
    """

    layers: int
    layer: int
    outside: int
    largest: int
    token: int
    step: int
    context: int

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        quantization: Quantization = "none",
        *,
        number: int = 2,
        context: int = 0,
    ) -> Self:
        """
        Compute it from a checked config.json.

        `number` is the bytes of a plain number (2 in bfloat16), `context` the tokens of a slot, 0
        for what the model has.
        """
        settings = dict(config)
        sizes = {
            name: size_of(name, shape, quantization, number)
            for name, shape in model_config.tensors(settings).items()
        }
        layers, width, inner, heads, kv_heads, dim = _dimensions(settings)
        inside = sum(size for name, size in sizes.items() if _in_layer(name))
        tokens = context or model_config.context_length(settings)
        return cls(
            layers=layers,
            layer=inside // layers,
            outside=sum(sizes.values()) - inside,
            largest=max(size for name, size in sizes.items() if _in_layer(name)),
            token=2 * kv_heads * dim * number,
            step=_ACTIVATIONS * (width + inner) * number + heads * tokens * _SCORE,
            context=tokens,
        )

    @property
    def weights(self) -> int:
        """Bytes of all weights."""
        return self.layers * self.layer + self.outside

    @property
    def per_token(self) -> int:
        """Bytes of the keys and values of a token in all layers."""
        return self.layers * self.token

    @property
    def slot(self) -> int:
        """Bytes of the keys and values of one request of full length."""
        return self.per_token * self.context

    @property
    def work(self) -> int:
        """Bytes that a GPU must have beside weights and slots, at least."""
        kept = round(self.slot * (1 / ASKED_SHARE - 1))
        return CUDA + max(LEAST_STEP * self.step, kept)

    def total(self, slots: int = 1) -> int:
        """Bytes in all, on one GPU."""
        return self.weights + slots * self.slot + self.work


def size_of(name: str, shape: tuple[int, ...], quantization: Quantization, number: int) -> int:
    """Return the bytes of a weight, with its scales, where a plain number has `number`."""
    count = math.prod(shape)
    if quantization == "int8" and len(shape) == 2 and _in_layer(name):
        return count + shape[0] * number  # one byte each, and a scale for each row
    return count * number


def _in_layer(name: str) -> bool:
    return name.startswith(("transformer.h.", "model.layers."))


def _dimensions(config: dict[str, Any]) -> tuple[int, int, int, int, int, int]:
    """Return layers, width, inner width, heads of queries, heads of keys, numbers in a head."""
    if config["model_type"] == "llama":
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        kv_heads = int(config.get("num_key_value_heads") or heads)
        dim = int(config.get("head_dim") or width // heads)
        return (
            int(config["num_hidden_layers"]),
            width,
            int(config["intermediate_size"]),
            heads,
            kv_heads,
            dim,
        )
    width, heads = int(config["n_embd"]), int(config["n_head"])
    kv_heads = 1 if config.get("multi_query", True) else heads
    inner = int(config.get("n_inner") or 4 * width)
    return int(config["n_layer"]), width, inner, heads, kv_heads, width // heads
