"""
Attention over slots: the function that transformers' models call, by the name "slots".

A step is flat: the tokens of all its sequences stand one behind the other in a single batch row of
N tokens, so that nothing is padded. `Layout` says which part belongs to which slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from opencoder_lsp.engine.shapes import BLOCK, filled, multiple

NAME = "slots"


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens `offset` to `offset + count` of the step: rows `start` to `end` of `slot`."""

    slot: int
    start: int
    count: int
    offset: int

    @property
    def end(self) -> int:
        """Number of rows that the last of these tokens sees."""
        return self.start + self.count


@dataclass(slots=True)
class Layout:
    """The segments of a step, and what follows from them, made once and used by every layer."""

    segments: list[Segment]
    _masks: dict[tuple[Segment, int, torch.device], Tensor] = field(default_factory=dict)
    _places: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def mask(self, segment: Segment, query: Tensor, rows: int) -> Tensor:
        """
        Return what is added to scores: [queries, rows], -inf where a row is in the future.

        `query` is [1, heads, queries, dim].
        """
        key = (segment, rows, query.device)
        if key not in self._masks:
            # Numbers, since torch would make them out of booleans again in each layer.
            hidden = query.new_full((query.shape[2], rows), float("-inf"))
            self._masks[key] = hidden.triu_(segment.start + 1)
        return self._masks[key]

    def places(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return each token's slot and row: int64 [N] both."""
        if device not in self._places:
            pairs = [(one.slot, row) for one in self.segments for row in range(one.start, one.end)]
            slots, rows = torch.tensor(pairs).T.to(device, non_blocking=True)
            self._places[device] = slots, rows
        return self._places[device]


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Sequence[Tensor],
    value: Sequence[Tensor],
    attention_mask: Tensor | None,
    *,
    layout: Layout,
    scaling: float,
    **_ignored: Any,
) -> tuple[Tensor, None]:
    """
    Let each token attend to the rows of its own slot.

    `query` is [1, heads, N, dim]; `key` and `value` are a layer's memory, for each slot
    [1, kv heads, rows, dim]; the answer is [1, N, heads, dim]. Any scalar type.
    """
    if len(layout.segments) == 1:
        return _attend_one(query, key, value, layout, layout.segments[0], scaling), None
    outputs = []
    for segment in layout.segments:
        part = query[:, :, segment.offset : segment.offset + segment.count]
        outputs.append(_attend_one(part, key, value, layout, segment, scaling))
    return torch.cat(outputs, dim=1), None


def _attend_one(
    query: Tensor,
    key: Sequence[Tensor],
    value: Sequence[Tensor],
    layout: Layout,
    segment: Segment,
    scaling: float,
) -> Tensor:
    """Return [1, count, heads, dim] of [1, heads, count, dim]."""
    count, end = segment.count, segment.end
    keys, values = key[segment.slot][:, :, :end], value[segment.slot][:, :, :end]
    if count == 1 and keys.shape[1] == 1:
        # One head of keys for all queries: these are rows of one product instead of many products.
        return F.scaled_dot_product_attention(query.transpose(1, 2), keys, values, scale=scaling)
    if count >= BLOCK and query.device.type == "cpu":  # fewer need no kernels
        end = multiple(end, BLOCK)
        keys, values = (F.pad(one, (0, 0, 0, end - segment.end)) for one in (keys, values))
        queries = filled(count) if segment.start else end
        query = F.pad(query, (0, 0, 0, queries - count))
    # One token sees all rows. Of several, each is blind to those after it; torch's own causal
    # mask says so only where they begin the sequence.
    # Plain matrix products are no faster here, and in bfloat16 on a CPU nine times slower.
    seen = F.scaled_dot_product_attention(
        query,
        keys,
        values,
        attn_mask=layout.mask(segment, query, end) if count > 1 and segment.start else None,
        is_causal=count > 1 and not segment.start,
        scale=scaling,
        enable_gqa=True,
    )
    return seen[:, :, :count].transpose(1, 2)


def _no_mask(*_: Any, **__: Any) -> None:
    """`attend` masks by itself."""


def register() -> None:
    """Make `attn_implementation="slots"` known to transformers."""
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, _no_mask)
