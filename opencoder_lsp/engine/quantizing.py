"""
Weights that are quantized while they are read: an extension of transformers' loading, by the
interface that it has for that (`HfQuantizer`, transformers 5.23).

Each tensor goes to its device, is rounded there and let go, before the next one is read; so beside
the weights that stay, memory holds one tensor in the type of the files.
"""

from typing import Any

from torch import Tensor, nn
from transformers.core_model_loading import ConversionOps
from transformers.quantizers import HfQuantizer, register_quantization_config, register_quantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from opencoder_lsp.engine.int8 import Int8Linear, quantized

_NAME = "opencoder_int8"


@register_quantization_config(_NAME)
class Int8Config(QuantizationConfigMixin):  # type: ignore[misc]
    """Asks `from_pretrained` for int8 weights in all linear layers but the output layer."""

    def __init__(self, **_: Any) -> None:
        self.quant_method = _NAME


class _Quantize(ConversionOps):  # type: ignore[misc]
    """From a weight to its integers and scales."""

    def convert(
        self, input_dict: dict[str, Any], *_: Any, full_layer_name: str, **__: Any
    ) -> dict[str, Tensor]:
        """Return both, by their names in the model, for the one tensor in `input_dict`."""
        (value,) = input_dict.values()
        integers, scales = quantized(value[0] if isinstance(value, list) else value)
        return {full_layer_name: integers, f"{full_layer_name}_scale": scales}


@register_quantizer(_NAME)
class Int8Quantizer(HfQuantizer):  # type: ignore[misc]
    """Replaces linear layers before the weights are read, and rounds those on the way."""

    quantized_element_size = 1  # bytes
    is_trainable = False

    def is_serializable(self, *_: Any, **__: Any) -> bool:
        """The files stay as they are."""
        return False

    def _process_model_before_weight_loading(self, model: nn.Module, **_: Any) -> None:
        replace(model)

    def param_needs_quantization(self, model: nn.Module, param_name: str, **_: Any) -> bool:
        """Whether a tensor of the files is a weight that is rounded."""
        path, _dot, name = param_name.rpartition(".")
        return name == "weight" and isinstance(model.get_submodule(path), Int8Linear)

    def get_quantize_ops(self) -> _Quantize:
        """Return what rounds a weight."""
        return _Quantize()


def replace(model: Any) -> None:
    """Put an `Int8Linear` without numbers in place of each linear layer but the output layer."""
    head = model.get_output_embeddings()
    for name, module in list(model.named_modules()):
        if type(module) is nn.Linear and module is not head:
            like = Int8Linear(
                module.in_features,
                module.out_features,
                module.bias is not None,
                device="meta",
                dtype=module.weight.dtype,
            )
            model.set_submodule(name, like)
