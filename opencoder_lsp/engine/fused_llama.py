"""
Llama's layers in fewer operations.

The products of queries, keys and values are one, those of gate and up are one, and queries and keys
are turned together.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opencoder_lsp.engine.attention import Layout
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.fused_layer import Forward, FusedLayer, joined

FEW = 16  # rows for which the number of operations counts, not what they compute


class Norm(nn.Module):
    """In place of a `LlamaRMSNorm`: rows divided by their root mean square, times the weight."""

    def __init__(self, plain: Any) -> None:
        """Share the weight of `plain`."""
        super().__init__()
        self.weight: Tensor = plain.weight
        self._epsilon: float = plain.variance_epsilon
        self._size = plain.weight.shape
        self._twice: Tensor | None = None
        if plain.weight.device.type == "cpu":
            self._twice = torch.cat((plain.weight, plain.weight)).detach()

    def forward(self, rows: Tensor) -> Tensor:
        """Return [1, N, size] of the same."""
        if self._twice is None or rows.shape[1] > FEW:
            return F.rms_norm(rows, self._size, self.weight, self._epsilon)
        # On a CPU torch has a fused layer norm, but no fused RMS norm. They are the same for rows
        # whose mean is 0, such as (x, -x).
        both = torch.cat((rows, -rows), -1)
        normed = torch.layer_norm(both, self._twice.shape, self._twice, None, self._epsilon)
        return normed[..., : self._size[0]]


class Rotary(nn.Module):
    """In place of a `LlamaRotaryEmbedding`: the same, in the form that `Layer` uses."""

    def __init__(self, plain: nn.Module) -> None:
        """`plain` computes the angles, however they are scaled."""
        super().__init__()
        self.plain = plain

    def forward(self, rows: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines, and sines negated in their first half: [N, 1, dim] of [1, N]."""
        cos, sin = self.plain(rows, position_ids)
        first, second = sin[0].chunk(2, dim=-1)
        return cos[0, :, None], torch.cat((-first, second), dim=-1)[:, None]


class Layer(FusedLayer):
    """In place of a `LlamaDecoderLayer`."""

    _gate_up: Forward

    def __init__(self, plain: Any) -> None:
        """Share the weights of `plain`, but for copies of those that are joined."""
        attention, mlp = plain.self_attn, plain.mlp
        super().__init__(
            size=plain.hidden_size,
            index=attention.layer_idx,
            queries=attention.q_proj.out_features // attention.head_dim,
            kv_heads=attention.k_proj.out_features // attention.head_dim,
            dim=attention.head_dim,
            scaling=attention.scaling,
        )
        self._half = self._dim // 2
        self._turned = self._queries + self._kv_heads
        self.attention_norm = Norm(plain.input_layernorm)
        self.qkv = joined(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out = attention.o_proj
        self.mlp_norm = Norm(plain.post_attention_layernorm)
        self.gate_up = joined(mlp.gate_proj, mlp.up_proj)
        self.act = mlp.act_fn
        self.down = mlp.down_proj

    def forward(
        self,
        hidden_states: Tensor,
        *,
        position_embeddings: tuple[Tensor, Tensor],
        past_key_values: SlotMemory,
        layout: Layout,
        **_ignored: Any,
    ) -> Tensor:
        """Return [1, N, size] of the same; what `Rotary` returns comes as position embeddings."""
        cos, sin = position_embeddings
        count = hidden_states.shape[1]
        heads = self._qkv(self._attention_norm(hidden_states)).view(count, -1, self._dim)
        turned = heads[:, : self._turned]
        torch.addcmul(turned * cos, turned.roll(self._half, -1), sin, out=turned)
        seen = self._attend(heads.transpose(0, 1), past_key_values, layout)
        hidden_states = hidden_states + self._out(seen)
        gate, up = self._gate_up(self._mlp_norm(hidden_states)).chunk(2, -1)
        return hidden_states + self._down(self._act(gate) * up)

    __call__ = forward
