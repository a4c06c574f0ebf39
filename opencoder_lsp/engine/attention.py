"""
Attention over slots: the function that transformers' models call, by the name "slots".

A step is flat: the tokens of all its sequences stand one behind the other in a single batch row of
N tokens, so that nothing is padded. `Layout` says which part belongs to which slot.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

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
    """The segments of a step, and its masks, made once and used by every layer."""

    segments: list[Segment]
    _masks: dict[tuple[Segment, torch.device], Tensor] = field(default_factory=dict)

    def mask(self, segment: Segment, device: torch.device) -> Tensor:
        """Return who sees whom: bool [count, end], true where a row is not in the future."""
        key = (segment, device)
        if key not in self._masks:
            rows = torch.arange(segment.end, device=device)
            self._masks[key] = rows <= rows[segment.start :, None]
        return self._masks[key]


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout,
    scaling: float,
    **_ignored: Any,
) -> tuple[Tensor, None]:
    """
    Let each token attend to the rows of its own slot.

    `query` is [1, heads, N, dim]; `key` and `value` are a whole layer's memory, [slots, kv heads,
    rows, dim]; the answer is [1, N, heads, dim]. Any scalar type.
    """
    outputs: list[Tensor] = []
    for segment in layout.segments:
        part = slice(segment.offset, segment.offset + segment.count)
        # One token sees all rows. Of several, each is blind to those after it; torch's own causal
        # mask says so only where they begin the sequence.
        first = segment.start == 0 and segment.count > 1
        masked = segment.start > 0 and segment.count > 1
        # Plain matrix products are no faster here, and in bfloat16 on a CPU nine times slower.
        seen = F.scaled_dot_product_attention(
            query[:, :, part],
            key[segment.slot, :, : segment.end][None],
            value[segment.slot, :, : segment.end][None],
            attn_mask=layout.mask(segment, query.device) if masked else None,
            is_causal=first,
            scale=scaling,
            enable_gqa=True,
        )
        outputs.append(seen.transpose(1, 2))
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1), None


def _no_mask(*_: Any, **__: Any) -> None:
    """`attend` masks by itself."""


def register() -> None:
    """Make `attn_implementation="slots"` known to transformers."""
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, _no_mask)
