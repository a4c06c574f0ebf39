"""The memory of keys and values: one preallocated block for each layer, on that layer's device."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from opencoder_lsp.engine import machine
from opencoder_lsp.engine.attention import Layout
from opencoder_lsp.errors import ModelError

log = logging.getLogger(__name__)

_MOST_SLOTS = 8
# Shares of the free memory that slots may take. A CPU's is lent to programs of the user's, too.
_SHARE = {"cuda": 0.8, "cpu": 0.25}


class SlotMemory:
    """
    Keys and values of all slots: per layer two tensors [slots, kv heads, rows, dim].

    It stands in for transformers' `Cache` (5.23): the models call `update` in each layer, and the
    mask code the rest. Memory is left as it comes, so that a CPU gives pages only to rows in use;
    nobody reads a row that was not written.
    """

    is_compileable = False
    is_sliding = (False,)
    layers: tuple[()] = ()

    def __init__(
        self,
        devices: Sequence[torch.device],
        slots: int,
        kv_heads: int,
        rows: int,
        dim: int,
        dtype: torch.dtype,
    ) -> None:
        """`devices` has one entry for each layer; `rows` is the number of tokens in a slot."""
        self.slots = slots
        self.rows = rows
        shape = (slots, kv_heads, rows, dim)
        self._keys = [torch.empty(shape, dtype=dtype, device=device) for device in devices]
        self._values = [torch.empty(shape, dtype=dtype, device=device) for device in devices]
        self._layout = Layout([])

    @classmethod
    def for_model(cls, model: Any, rows: int) -> Self:
        """
        Reserve as many slots of `rows` tokens as fit beside transformers' `model`, at most 8.

        Raises ModelError where not even one fits.
        """
        config = model.config
        dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        kv_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        if config.model_type == "gpt_bigcode":
            kv_heads = 1 if config.multi_query else config.num_attention_heads
        devices = [next(layer.parameters()).device for layer in _layers(model)]
        one = 2 * kv_heads * rows * dim * model.dtype.itemsize  # bytes of a slot in a layer
        fits = min(_free(device) // (one * n) for device, n in Counter(devices).items())
        if fits < 1:
            raise ModelError(
                f"no memory for a context of {rows} tokens ({one * len(devices) / 1e9:.2f} GB) "
                "beside the model; set engine.context to a smaller number"
            )
        slots = min(int(fits), _MOST_SLOTS)
        log.info("%d slots of %.0f MB", slots, one * len(devices) / 1e6)
        return cls(devices, slots, kv_heads, rows, dim, model.dtype)

    def begin(self, layout: Layout) -> None:
        """Set where the tokens of the next forward pass belong."""
        self._layout = layout

    def copy(self, source: int, target: int, rows: int) -> None:
        """Copy the first `rows` rows of one slot into another."""
        for block in (*self._keys, *self._values):
            block[target, :, :rows] = block[source, :, :rows]

    def update(
        self, key: Tensor, value: Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Write [1, kv heads, N, dim] of a step; return the layer's whole memory."""
        keys, values = self._keys[layer], self._values[layer]
        for segment in self._layout.segments:
            part = slice(segment.offset, segment.offset + segment.count)
            keys[segment.slot, :, segment.start : segment.end] = key[0, :, part]
            values[segment.slot, :, segment.start : segment.end] = value[0, :, part]
        return keys, values

    def get_seq_length(self, *_: Any) -> int:
        """Return 0: positions are passed to the model explicitly."""
        return 0

    def get_query_offset(self, *_: Any) -> int:
        """Return 0, as above."""
        return 0

    def get_mask_sizes(self, query_length: int, *_: Any) -> tuple[int, int]:
        """Return sizes for a mask that our attention does not use."""
        return query_length, 0


def _layers(model: Any) -> Sequence[torch.nn.Module]:
    base = model.base_model
    layers: Sequence[torch.nn.Module] = base.h if hasattr(base, "h") else base.layers
    return layers


def _free(device: torch.device) -> int:
    """Return the bytes that slots may take on a device."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else machine.free_memory()
    return int(free * _SHARE.get(device.type, 0.25))
