"""
Linear layers with weights of one byte: signed integers, and a scale for each output.

Only weights are rounded; products are computed in the type of the rows. Each output's largest
weight becomes 127 or -127 (symmetric, no zero point), and its scale is rounded first, so that it
brings no error of its own.
"""

import logging

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opencoder_lsp.engine.shapes import filled

log = logging.getLogger(__name__)

_LARGEST = 127
_BLOCK = 1 << 24  # weights that are widened at once: 32 MB in bfloat16
_ROUNDED = 1 << 22  # weights that are rounded at once: 50 MB of numbers on the way
_FEW = 16  # rows; for more, widening the weights first is faster on a CPU
_STEP = 32  # inputs: of another multiple, torch's kernel reads behind the last row's end
_ULP = 2.0**-7  # the largest step between two bfloat16 neighbours, relative to them
_NEAR_ZERO = 2.0**-14  # of the largest number: where sums in another order differ by more than that


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """
    Return int8 [outputs, inputs] and scales [outputs] for a weight of the same shape and any type.

    The scales have the weight's type. Memory beside the results is that of a block of rows.
    """
    integers = torch.empty_like(weight, dtype=torch.int8)
    scales = weight.new_empty(len(weight))
    step = max(1, _ROUNDED // weight.shape[1])
    for rows in (slice(at, at + step) for at in range(0, len(weight), step)):
        block = weight[rows].float()
        largest = block.abs().amax(1).clamp_(min=torch.finfo(scales.dtype).tiny * _LARGEST)
        scales[rows] = largest / _LARGEST
        steps = block / scales[rows, None].float()
        # What is not a number becomes 0 times a scale that is none either, and so is seen.
        integers[rows] = steps.round_().nan_to_num_(0).clamp_(-_LARGEST, _LARGEST)
    return integers, scales


class Int8Linear(nn.Module):
    """In place of a `nn.Linear`, by the same arguments."""

    bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Take numbers of any value; `dtype` is that of scales and bias, and so of rows."""
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features

        def empty(*shape: int, dtype: torch.dtype | None = dtype) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape, dtype=dtype, device=device), False)

        # All of them parameters: accelerate moves no buffers.
        self.weight = empty(out_features, in_features, dtype=torch.int8)
        self.weight_scale = empty(out_features)
        self.register_parameter("bias", empty(out_features) if bias else None)
        self.few = 0  # for so many rows the product is that of torch's own kernel

    def forward(self, rows: Tensor) -> Tensor:
        """Return [..., outputs] of [..., inputs], in the type of the latter."""
        flat = rows.reshape(-1, self.in_features)
        own = self._parameters  # `self.weight` is a slow look through all that a module may have
        weight, scale, bias = own["weight"], own["weight_scale"], own["bias"]
        assert weight is not None
        assert scale is not None
        count = len(flat)
        if 0 < count <= self.few:
            product = torch._weight_int8pack_mm(flat.contiguous(), weight, scale)
        else:
            product = _widened(flat, weight).mul_(scale)
        if bias is not None:
            product += bias
        return product.view(*rows.shape[:-1], self.out_features)


def _widened(flat: Tensor, weight: Tensor) -> Tensor:
    """Return the product of rows and a weight without its scales; integers fit into bfloat16."""
    count = len(flat)
    if flat.device.type == "cpu" and (more := filled(count) - count):
        flat = F.pad(flat, (0, 0, 0, more))
    step = max(1, _BLOCK // weight.shape[1])
    parts = [F.linear(flat, part.to(flat.dtype)) for part in torch.split(weight, step)]
    return (parts[0] if len(parts) == 1 else torch.cat(parts, -1))[:count]


def use_kernel(model: nn.Module) -> int:
    """
    Let the layers of `model` on a CPU use torch's kernel for few rows; return for how many.

    `torch._weight_int8pack_mm` is not public: it is used only for shapes for which it gives the
    numbers of the plain product. On a GPU it is no faster than that (torch 2.13: one thread for
    each output).
    """
    fits, count = dict[tuple[int, int, torch.dtype], bool](), 0
    for layer in model.modules():
        if isinstance(layer, Int8Linear) and layer.weight.device.type == "cpu":
            key = (layer.in_features, layer.out_features, layer.weight_scale.dtype)
            if key not in fits:
                fits[key] = layer.in_features % _STEP == 0 and _kernel_fits(layer)
            layer.few = _FEW if fits[key] else 0
            count += fits[key]
    return count


@torch.inference_mode()
def _kernel_fits(layer: Int8Linear) -> bool:
    noise = torch.Generator().manual_seed(0)
    weight, scale = layer.weight, layer.weight_scale
    for count in (1, _FEW):
        rows = torch.randn(count, layer.in_features, generator=noise).to(scale.dtype)
        try:
            product = torch._weight_int8pack_mm(rows, weight, scale).float()
        except (AttributeError, RuntimeError) as error:
            cause = str(error).partition("\n")[0]
            log.warning("no kernel for int8 weights in torch %s: %s", torch.__version__, cause)
            return False
        expected = (rows.double() @ weight.double().T * scale.double()).float()
        near_zero = _NEAR_ZERO * expected.abs().max().item()
        if not torch.allclose(product, expected, rtol=_ULP, atol=near_zero):
            log.warning("int8 products of %s are not those of torch's kernel", tuple(weight.shape))
            return False
    return True
