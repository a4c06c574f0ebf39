"""
Llama's layers in fewer and larger operations.

A decode step spends a third of its time between the weight products: in some 2,000 calls of
Python and torch, each from cold caches, since the weights have just gone through them. transformers
writes a layer for reading. Here the products of queries, keys and values are one, those of gate and
up are one, queries and keys are turned together, and no `nn.Module.__call__` stands in between.
A layer is taken only where it gives the numbers of the one that it replaces.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.llama import modeling_llama

from opencoder_lsp.engine.attention import Layout, Segment, attend
from opencoder_lsp.engine.cache import SlotMemory

log = logging.getLogger(__name__)

_FEW = 16  # rows for which the number of operations counts, not what they compute
_TRIED_ROWS = (3, _FEW + 1)
_TOLERANCE = 32  # roundings


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
        if self._twice is None or rows.shape[1] > _FEW:
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


class Layer(nn.Module):
    """In place of a `LlamaDecoderLayer` whose attention is over slots."""

    # The `forward` of each child. A module finds a child itself only by a slow `__getattr__`, and
    # calls it through a look for hooks, of which there are none.
    _attention_norm: Callable[[Tensor], Tensor]
    _mlp_norm: Callable[[Tensor], Tensor]
    _act: Callable[[Tensor], Tensor]
    _qkv: Callable[[Tensor], Tensor]
    _out: Callable[[Tensor], Tensor]
    _gate_up: Callable[[Tensor], Tensor]
    _down: Callable[[Tensor], Tensor]

    def __init__(self, plain: Any) -> None:
        """Share the weights of `plain`, but for copies of those that are joined."""
        super().__init__()
        attention, mlp = plain.self_attn, plain.mlp
        self.attention_norm = Norm(plain.input_layernorm)
        self.qkv = _joined(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out = attention.o_proj
        self.mlp_norm = Norm(plain.post_attention_layernorm)
        self.gate_up = _joined(mlp.gate_proj, mlp.up_proj)
        self.act = mlp.act_fn
        self.down = mlp.down_proj
        self._index: int = attention.layer_idx
        self._scaling: float = attention.scaling
        self._dim: int = attention.head_dim
        self._half = self._dim // 2
        self._queries: int = attention.q_proj.out_features // self._dim
        self._turned = self._queries + attention.k_proj.out_features // self._dim

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep the `forward` of a child beside it, also when it is replaced by a packed one."""
        super().__setattr__(name, value)
        if isinstance(value, nn.Module):
            object.__setattr__(self, f"_{name}", value.forward)

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
        heads = heads.transpose(0, 1)
        keys, values = past_key_values.write(heads[self._queries :], self._index)
        query = heads[None, : self._queries]
        seen, _ = attend(self, query, keys, values, None, layout=layout, scaling=self._scaling)
        hidden_states = hidden_states + self._out(seen.reshape(1, count, -1))
        gate, up = self._gate_up(self._mlp_norm(hidden_states)).chunk(2, -1)
        return hidden_states + self._down(self._act(gate) * up)

    __call__ = forward

    def memory(self, rows: int) -> SlotMemory:
        """Return memory for this layer alone, if it is the first: one slot of `rows` tokens."""
        weight = self.qkv.weight
        heads = self._turned - self._queries
        return SlotMemory([weight.device], 1, heads, rows, self._dim, weight.dtype)


def _joined(*parts: nn.Linear) -> nn.Linear:
    """Return one layer with the outputs of all, one behind the other."""
    first = parts[0]
    joined = nn.Linear(first.in_features, 1, first.bias is not None, device="meta")
    joined.out_features = sum(part.out_features for part in parts)
    joined.weight = nn.Parameter(torch.cat([part.weight for part in parts]), False)
    if first.bias is not None:
        joined.bias = nn.Parameter(torch.cat([part.bias for part in parts]), False)
    return joined


def fuse(model: Any) -> int:
    """
    Replace the layers of a Llama model on one device, in place, before its weights are packed.

    Returns their number: 0 for other models, and where they would give other numbers.
    """
    if type(model) is not modeling_llama.LlamaForCausalLM:
        return 0
    base = model.model
    if len({parameter.device for parameter in model.parameters()}) > 1:
        return 0
    with torch.inference_mode():
        rotary = Rotary(base.rotary_emb)
        difference = _difference(base, Layer(base.layers[0]), rotary)
        if difference > _TOLERANCE * torch.finfo(model.dtype).eps:
            log.warning("layers are not fused: they differ from the plain ones by %g", difference)
            return 0
        base.rotary_emb = rotary
        base.norm = Norm(base.norm)
        for index, plain in enumerate(base.layers):
            base.layers[index] = Layer(plain)
    return len(base.layers)


def _difference(base: Any, layer: Layer, rotary: Rotary) -> float:
    """Return by how much a layer differs from the model's first, relative to the largest number."""
    plain = base.layers[0]
    noise = torch.Generator().manual_seed(0)
    differences = []
    for count in _TRIED_ROWS:
        size = (1, count, plain.hidden_size)
        rows = torch.randn(size, generator=noise).to(base.device, base.dtype)
        expected = _answer(plain, rows, base.rotary_emb, layer.memory(count))
        fused = _answer(layer, rows, rotary, layer.memory(count))
        differences.append(((fused - expected).abs().max() / expected.abs().max()).item())
    return max(differences)


def _answer(layer: nn.Module, rows: Tensor, angles: nn.Module, memory: SlotMemory) -> Tensor:
    """Return what a layer makes of the first rows of a slot."""
    layout = Layout([Segment(0, 0, rows.shape[1], 0)])
    memory.begin(layout)
    positions = torch.arange(rows.shape[1], device=rows.device)[None]
    answer: Tensor = layer(
        rows,
        position_embeddings=angles(rows, positions),
        past_key_values=memory,
        layout=layout,
    )
    return answer
