"""GPTBigCode's layers in fewer operations."""

from typing import Any

import torch
from torch import Tensor, nn

from opencoder_lsp.engine.attention import Layout
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.fused_layer import Forward, FusedLayer, Linear, ordered


class Norm(nn.Module):
    """In place of a `nn.LayerNorm` over the last dimension."""

    def __init__(self, plain: nn.LayerNorm) -> None:
        """Share the numbers of `plain`."""
        super().__init__()
        self.weight: Tensor | None = plain.weight
        self.bias: Tensor | None = plain.bias
        # The same ones, where no `nn.Module.__getattr__` has to look for them.
        self._arguments = (plain.normalized_shape, plain.weight, plain.bias, plain.eps)

    def forward(self, rows: Tensor) -> Tensor:
        """Return [1, N, size] of the same."""
        return torch.layer_norm(rows, *self._arguments)


class Layer(FusedLayer):
    """In place of a `GPTBigCodeBlock` without cross-attention."""

    _up: Forward

    def __init__(self, plain: Any) -> None:
        """Share the weights of `plain`, but for a copy of those that are put in another order."""
        attention, mlp = plain.attn, plain.mlp
        super().__init__(
            size=attention.embed_dim,
            index=attention.layer_idx,
            queries=attention.num_heads,
            kv_heads=attention.kv_heads,
            dim=attention.head_dim,
            scaling=attention.scaling,
        )
        self.attention_norm = Norm(plain.ln_1)
        self.qkv = attention.c_attn if attention.multi_query else self._sorted(attention.c_attn)
        self.out = attention.c_proj
        self.mlp_norm = Norm(plain.ln_2)
        self.up = mlp.c_fc
        self.act = mlp.act
        self.down = mlp.c_proj

    def forward(
        self,
        hidden_states: Tensor,
        _encoder_states: None = None,
        *,
        layer_past: SlotMemory,
        layout: Layout,
        **_ignored: Any,
    ) -> Tensor:
        """Return [1, N, size] of the same."""
        heads = self._qkv(self._attention_norm(hidden_states))
        heads = heads.view(hidden_states.shape[1], -1, self._dim).transpose(0, 1)
        hidden_states = hidden_states + self._out(self._attend(heads, layer_past, layout))
        return hidden_states + self._down(self._act(self._up(self._mlp_norm(hidden_states))))

    __call__ = forward

    def _sorted(self, plain: Linear) -> Linear:
        """Return a layer of several heads of keys with all queries, then keys, then values."""
        order = torch.arange(plain.out_features, device=plain.weight.device)
        order = order.view(self._queries, 3, self._dim).transpose(0, 1).reshape(-1)
        return ordered(plain, order)
