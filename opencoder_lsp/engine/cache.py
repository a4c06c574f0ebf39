"""The memory of keys and values: one preallocated block for each layer, on that layer's device."""

import math
import mmap
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from opencoder_lsp.engine import machine
from opencoder_lsp.engine.attention import Layout
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models.needs import ASKED_SHARE, MOST_SLOTS, SLOT_SHARE

_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class SlotMemory:
    """
    Keys and values of all slots: per layer one tensor [slots, 2 * kv heads, rows, dim].

    It stands in for transformers' `Cache` (5.23): the models call `update` in each layer, and the
    mask code the rest. A CPU gives pages only to rows in use; nobody reads a row that was not
    written.
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
        shape = (slots, 2 * kv_heads, rows, dim)
        self._blocks = [_reserve(shape, dtype, device) for device in devices]
        self._keys = [block[:, :kv_heads] for block in self._blocks]
        self._values = [block[:, kv_heads:] for block in self._blocks]
        # Views of each slot, made once instead of in each step.
        self._slots = [block.unbind() for block in self._blocks]
        self._seen = [
            (torch.split(keys, 1), torch.split(values, 1))
            for keys, values in zip(self._keys, self._values, strict=True)
        ]
        self._layout = Layout([])

    @classmethod
    def for_model(cls, model: Any, rows: int, slots: int = 0) -> Self:
        """
        Reserve `slots` slots of `rows` tokens beside transformers' `model`.

        For 0 it is as many as a share of the free memory holds, at least 1 and at most 8. Raises
        ModelError, with what is needed and what there is, where they do not fit.
        """
        config = model.config
        dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        kv_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        if config.model_type == "gpt_bigcode":
            kv_heads = 1 if config.multi_query else config.num_attention_heads
        devices = _devices(model)
        one = 2 * kv_heads * rows * dim * model.dtype.itemsize  # bytes of a slot in a layer
        fit = MOST_SLOTS
        for device, layers in Counter(devices).items():
            need, free = max(slots, 1) * one * layers, _free(device)
            if need > (most := int(free * ASKED_SHARE)):
                raise ModelError(_too_much(rows, slots, device, need, most))
            share = int(free * SLOT_SHARE.get(device.type, SLOT_SHARE["cpu"]))
            fit = min(fit, max(1, share // (one * layers)))
        try:
            return cls(devices, slots or fit, kv_heads, rows, dim, model.dtype)
        except (RuntimeError, OSError):  # a limit of the system's, or somebody was faster
            need = (slots or fit) * one * len(devices)
            raise ModelError(
                f"{need / 1e9:.2f} GB of KV memory could not be reserved; "
                "lower engine.context or engine.slots"
            ) from None

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values."""
        return sum(block.nbytes for block in (*self._keys, *self._values))

    def begin(self, layout: Layout) -> None:
        """Set where the tokens of the next forward pass belong."""
        self._layout = layout

    def copy(self, source: int, target: int, rows: int) -> None:
        """Copy the first `rows` rows of one slot into another."""
        for block in self._blocks:
            block[target, :, :rows] = block[source, :, :rows]

    def update(
        self, key: Tensor, value: Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Write keys and values [1, kv heads, N, dim] of a step; see `write`."""
        return self.write(torch.cat((key[0], value[0])), layer)

    def write(self, both: Tensor, layer: int) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """
        Write a step's keys and, behind them, its values: [2 * kv heads, N, dim].

        Returns the layer's memory, keys and values: for each slot [1, kv heads, rows, dim].
        """
        segments = self._layout.segments
        if len(segments) == 1:
            segment = segments[0]
            self._slots[layer][segment.slot][:, segment.start : segment.end] = both
        else:
            slots, rows = self._layout.places(both.device)
            self._blocks[layer][slots, :, rows] = both.transpose(0, 1)
        return self._seen[layer]

    def get_seq_length(self, *_: Any) -> int:
        """Return 0: positions are passed to the model explicitly."""
        return 0

    def get_query_offset(self, *_: Any) -> int:
        """Return 0, as above."""
        return 0

    def get_mask_sizes(self, query_length: int, *_: Any) -> tuple[int, int]:
        """Return sizes for a mask that our attention does not use."""
        return query_length, 0


def _reserve(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a tensor of any numbers; on a CPU one that takes memory as it is written."""
    if device.type != "cpu":
        return torch.empty(shape, dtype=dtype, device=device)
    # Not by torch's allocator: in huge pages, in which the weights may lie, the first row of a few
    # heads would take as much memory as the whole slot.
    pages = mmap.mmap(-1, math.prod(shape) * dtype.itemsize, flags=_PRIVATE)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):  # Linux
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.frombuffer(pages, dtype=dtype).view(shape)


def _layers(model: Any) -> Sequence[torch.nn.Module]:
    base = model.base_model
    layers: Sequence[torch.nn.Module] = base.h if hasattr(base, "h") else base.layers
    return layers


def _devices(model: Any) -> list[torch.device]:
    """Return where each layer is computed; those in main memory are on the first GPU."""
    first = model.get_input_embeddings().weight.device
    devices = [next(layer.parameters()).device for layer in _layers(model)]
    return [first if device.type == "meta" else device for device in devices]


def _free(device: torch.device) -> int:
    """Return the free bytes of a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return machine.free_memory()


def _too_much(rows: int, slots: int, device: torch.device, need: int, free: int) -> str:
    what, cure = f"a context of {rows} tokens", "engine.context"
    if slots:
        what = f"engine.slots is {slots}, each for {what}, which"
        cure += " or engine.slots"
    return (
        f"{what} needs {need / 1e9:.2f} GB on {device}, but {free / 1e9:.2f} GB are to be had "
        f"beside the model; lower {cure}"
    )
