"""
The layers of transformers' models replaced by those of `fused_llama` and `fused_gpt_bigcode`.

They are taken only where they give the numbers of those that they replace.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.gpt_bigcode.modeling_gpt_bigcode import GPTBigCodeForCausalLM
from transformers.models.llama.modeling_llama import LlamaForCausalLM

from opencoder_lsp.engine import fused_gpt_bigcode, fused_llama
from opencoder_lsp.engine.attention import Layout, Segment
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.fused_layer import FusedLayer

log = logging.getLogger(__name__)

_TRIED_ROWS = (3, fused_llama.FEW + 1)
_TOLERANCE = 32  # roundings

_Angles = Callable[[Tensor, Tensor], Any]  # of rows and their positions
_MakeLayer = Callable[[Any], FusedLayer]


def fuse(model: Any) -> int:
    """
    Replace the layers of a model on one device, in place, before its weights are packed.

    Returns their number: 0 for other architectures, and where they would give other numbers.
    """
    if len({parameter.device for parameter in model.parameters()}) > 1:
        return 0
    base = model.base_model
    with torch.inference_mode():
        if type(model) is LlamaForCausalLM:
            rotary = fused_llama.Rotary(base.rotary_emb)
            if not _fits(base.layers, fused_llama.Layer, base.rotary_emb, rotary):
                return 0
            base.rotary_emb = rotary
            base.norm = fused_llama.Norm(base.norm)
            return _replace(base.layers, fused_llama.Layer)
        if type(model) is GPTBigCodeForCausalLM:
            if not _fits(base.h, fused_gpt_bigcode.Layer, _no_angles, _no_angles):
                return 0
            base.ln_f = fused_gpt_bigcode.Norm(base.ln_f)
            return _replace(base.h, fused_gpt_bigcode.Layer)
    return 0


def _replace(layers: nn.ModuleList, make: _MakeLayer) -> int:
    """Replace one after the other, so that weights that are copied are never all there twice."""
    for index, plain in enumerate(layers):
        layers[index] = make(plain)
    return len(layers)


def _fits(layers: nn.ModuleList, make: _MakeLayer, angles: _Angles, own_angles: _Angles) -> bool:
    """Tell whether the fused form of the first layer gives its numbers, for few rows and more."""
    plain, fused = layers[0], make(layers[0])
    weight = next(one for one in plain.parameters() if one.is_floating_point())
    noise = torch.Generator().manual_seed(0)
    for count in _TRIED_ROWS:
        rows = torch.randn((1, count, fused.size), generator=noise).to(weight.device, weight.dtype)
        expected = _answer(plain, rows, angles, fused.memory(count, weight))
        answer = _answer(fused, rows, own_angles, fused.memory(count, weight))
        difference = ((answer - expected).abs().max() / expected.abs().max()).item()
        if difference > _TOLERANCE * torch.finfo(weight.dtype).eps:
            log.warning("layers are not fused: they differ from the plain ones by %g", difference)
            return False
    return True


def _answer(layer: nn.Module, rows: Tensor, angles: _Angles, memory: SlotMemory) -> Tensor:
    """Return what a layer makes of the first rows of a slot."""
    layout = Layout([Segment(0, 0, rows.shape[1], 0)])
    memory.begin(layout)
    positions = torch.arange(rows.shape[1], device=rows.device)[None]
    answer: Tensor = layer(
        rows,
        position_embeddings=angles(rows, positions),
        past_key_values=memory,  # by the name that one architecture has for it
        layer_past=memory,  # and by the other's
        layout=layout,
    )
    return answer


def _no_angles(_rows: Tensor, _positions: Tensor) -> None:
    """GPTBigCode adds its positions before the first layer."""
