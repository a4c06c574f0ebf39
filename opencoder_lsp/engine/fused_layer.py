"""
What the layers of `fused_llama` and `fused_gpt_bigcode` have in common.

A decode step spends a third of its time between the weight products: in some 2,000 calls of
Python and torch, each from cold caches, since the weights have just gone through them. transformers
writes a layer for reading; here it is few and large operations, and no `nn.Module.__call__` stands
in between.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from opencoder_lsp.engine.attention import Layout, attend
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.int8 import Int8Linear

Forward = Callable[[Tensor], Tensor]
Linear = nn.Linear | Int8Linear


class FusedLayer(nn.Module):
    """In place of a decoder layer of transformers' whose attention is over slots."""

    # The `forward` of the children that every such layer has; see `__setattr__`.
    _attention_norm: Forward
    _qkv: Forward
    _out: Forward
    _mlp_norm: Forward
    _act: Forward
    _down: Forward

    def __init__(
        self, *, size: int, index: int, queries: int, kv_heads: int, dim: int, scaling: float
    ) -> None:
        """
        Rows have `size` numbers, heads `dim`.

        `index` is the layer's in the model, `queries` the number of heads of queries.
        """
        super().__init__()
        self.size = size
        self._index = index
        self._queries = queries
        self._kv_heads = kv_heads
        self._dim = dim
        self._scaling = scaling

    def __setattr__(self, name: str, value: Any) -> None:
        """
        Keep the `forward` of a child beside it, by its name with a "_" before it.

        A module finds a child itself only by a slow `__getattr__`, and calls it through a look for
        hooks, of which there are none. A child may be replaced by a packed one at any time.
        """
        super().__setattr__(name, value)
        if isinstance(value, nn.Module):
            object.__setattr__(self, f"_{name}", value.forward)

    def _attend(self, heads: Tensor, memory: SlotMemory, layout: Layout) -> Tensor:
        """
        Return [1, N, queries * dim] of [queries + 2 * kv heads, N, dim].

        These are queries, keys and values; the latter two are written to the slots.
        """
        keys, values = memory.write(heads[self._queries :], self._index)
        query = heads[None, : self._queries]
        seen, _ = attend(self, query, keys, values, None, layout=layout, scaling=self._scaling)
        return seen.reshape(1, heads.shape[1], -1)

    def memory(self, rows: int, like: Tensor) -> SlotMemory:
        """Return memory for this layer alone, if it is the first: one slot of `rows` tokens."""
        return SlotMemory([like.device], 1, self._kv_heads, rows, self._dim, like.dtype)


def joined(*parts: Linear) -> Linear:
    """Return one layer with the outputs of all, one behind the other."""
    first = parts[0]
    whole = _like(first, sum(part.out_features for part in parts))
    for name, _ in first.named_parameters():
        together = torch.cat([getattr(part, name) for part in parts])
        setattr(whole, name, nn.Parameter(together, False))
    return whole


def ordered(plain: Linear, order: Tensor) -> Linear:
    """Return a layer whose outputs are those of `plain` by the numbers in `order`."""
    whole = _like(plain, len(order))
    for name, parameter in plain.named_parameters():
        setattr(whole, name, nn.Parameter(parameter[order], False))
    return whole


def _like(plain: Linear, outputs: int) -> Linear:
    """Return a layer of the same kind; all that it has are rows, one for each output."""
    bias = plain.bias is not None
    whole: Linear = type(plain)(plain.in_features, 1, bias, device="meta")
    whole.out_features = outputs
    return whole
