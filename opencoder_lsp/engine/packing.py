"""
The weights of a CPU's linear layers in the order in which oneDNN reads them.

`torch.nn.Linear` keeps its weight as rows, and each product sorts it anew or reads it as it lies;
packed once, a product of one row takes 0.7 of the time and one of 512 rows 0.75. Torch offers this
only inside of its compiler: the two operators in `_Operators` are not public. They are used nowhere
else, and only where they give the numbers of `F.linear` for each shape of the model at hand;
otherwise the model stays as it is. Checked with torch 2.13.0 (oneDNN 3.12) on x86-64 with AVX-512
and AMX.
"""

import logging
import platform
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opencoder_lsp.engine.shapes import filled

log = logging.getLogger(__name__)

# The order depends on the number of rows that oneDNN is told to expect. That for 64 is as fast for
# one row as that for one, and a third faster for hundreds.
_ROWS = 64
_TRIED_ROWS = (1, 8, 64)
_ULP = 2.0**-7  # the largest step between two bfloat16 neighbours, relative to them
_NEAR_ZERO = 2.0**-14  # of the largest number: where sums in another order differ by more than that


class _Operators:
    """Torch's operators for packed weights. Raises AttributeError where this torch has none."""

    def __init__(self) -> None:
        self.pack: Any = torch.ops.mkldnn._reorder_linear_weight.default
        self.linear: Any = torch.ops.mkldnn._linear_pointwise.default


class PackedLinear(nn.Module):
    """In place of a `nn.Linear` in bfloat16 on a CPU: the same product, from a packed weight."""

    def __init__(self, plain: nn.Linear, operators: _Operators) -> None:
        """Pack a copy of the weight of `plain`; the bias is shared."""
        super().__init__()
        # An opaque tensor is not a parameter: what walks over those has no use for it.
        self.weight: Tensor = operators.pack(plain.weight.detach(), _ROWS)
        self.bias = plain.bias
        self._outputs = plain.out_features
        self._linear = operators.linear

    def forward(self, rows: Tensor) -> Tensor:
        """Return [..., N, outputs] of [..., N, inputs], as `F.linear` does."""
        if not rows.numel():
            return rows.new_empty((*rows.shape[:-1], self._outputs))
        count = rows.shape[-2]
        if more := filled(count) - count:
            rows = F.pad(rows, (0, 0, 0, more))
        result: Tensor = self._linear(rows, self.weight, self.bias, "none", [], "")
        return result[..., :count, :] if more else result


def pack(model: nn.Module) -> int:
    """
    Pack the linear layers of `model` in place, each plain weight dropped before the next is packed.

    Returns the number of packed layers: 0 where nothing can be won or the operators do not fit.
    A weight that is also the embedding's stays beside its packed copy.
    """
    layers = list(_layers(model))
    if not layers or platform.machine() not in ("x86_64", "AMD64"):
        return 0
    with torch.inference_mode():
        try:
            operators = _Operators()
            _check([layer for _, layer in layers], operators)
        except (AttributeError, RuntimeError) as error:
            cause = str(error).partition("\n")[0]
            log.warning("weights are not packed with torch %s: %s", torch.__version__, cause)
            return 0
        count = len(layers)
        while layers:
            name, plain = layers.pop()
            model.set_submodule(name, PackedLinear(plain, operators))
            del plain
        # The rest leaves the file: its mapping, and with it the pages of the plain weights in
        # memory, ends with the last tensor that lies in it.
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()
    log.info("packed the weights of %d layers", count)
    return count


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    for name, module in model.named_modules():
        if type(module) is nn.Linear:  # a subclass may compute something else
            weight = module.weight
            if weight.dtype == torch.bfloat16 and weight.device.type == "cpu":
                yield name, module


def _check(layers: list[nn.Linear], operators: _Operators) -> None:
    """Raise RuntimeError unless, for each shape, packed products are the plain ones."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise RuntimeError("no bfloat16 in oneDNN on this CPU")
    noise = torch.Generator().manual_seed(0)
    shapes = {(layer.weight.shape, layer.bias is None): layer for layer in layers}
    for plain in shapes.values():
        packed = PackedLinear(plain, operators)
        for count in _TRIED_ROWS:
            rows = torch.randn(1, count, plain.in_features, generator=noise).to(torch.bfloat16)
            expected = F.linear(rows, plain.weight, plain.bias).float()
            near_zero = _NEAR_ZERO * expected.abs().max().item()
            if not torch.allclose(packed(rows).float(), expected, rtol=_ULP, atol=near_zero):
                raise RuntimeError(
                    f"{count} rows by {tuple(plain.weight.shape)} differ from the plain product"
                )
