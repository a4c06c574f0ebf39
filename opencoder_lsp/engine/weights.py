"""
Weights from disk to device, through transformers' own classes and nothing else.

What config.json may say and what the files must hold is checked first (`models/config`,
`models/checkpoint`), so that transformers never sees a `.bin` file, a class of somebody else's, or
a tensor of the wrong shape (which it would replace by random numbers where it is missing).
"""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging as transformers_logging

from opencoder_lsp.engine import attention, fusing, int8, machine, packing
from opencoder_lsp.engine.quantizing import Int8Config
from opencoder_lsp.engine.threads import Threads
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import checkpoint
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models.fitting import needs_of
from opencoder_lsp.models.manifest import Manifest
from opencoder_lsp.models.needs import CUDA, LEAST_STEP, Needs
from opencoder_lsp.models.placement import Placement, place
from opencoder_lsp.settings import EngineSettings

log = logging.getLogger(__name__)

Report = Callable[[float], None]  # 0 to 1
_CLASSES = {
    "gpt_bigcode": (transformers.GPTBigCodeConfig, transformers.GPTBigCodeForCausalLM),
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
}
# What these classes consist of: the part with the layers, its name for them, and what else it has.
_PARTS = {
    "gpt_bigcode": ("transformer", "h", "wte", "wpe", "drop", "ln_f"),
    "llama": ("model", "layers", "embed_tokens", "norm", "rotary_emb"),
}


def check(folder: Path) -> tuple[Manifest, dict[str, Any]]:
    """
    Check all that can be checked without reading the weights; return manifest and config.json.

    Raises ModelError naming the file and the cure.
    """
    manifest = Manifest.load(folder)
    cure = f"run: opencoder-lsp models pull {manifest.name}"
    if not manifest.weights:
        raise ModelError(f"{folder} has only the tokenizer; {cure}")
    manifest.check_sizes(folder)
    config = model_config.read(folder)
    found = checkpoint.find(folder)
    if found.pickled:
        raise ModelError(
            f"{folder} has its weights only as .bin, which can run code when loaded; convert them "
            f"once with: opencoder-lsp models pull {folder}"
        )
    try:
        checkpoint.check_safetensors(found, config)
    except ModelError as error:
        raise ModelError(f"{error} ({cure})") from error
    return manifest, config


def choose_device(settings: EngineSettings) -> str:
    """Return "cuda" or "cpu"; raises ModelError where a GPU is asked for and there is none."""
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise ModelError("engine.device is cuda, but torch finds no GPU; see opencoder-lsp doctor")
    return "cuda" if available and settings.device != "cpu" else "cpu"


def choose_dtype(settings: EngineSettings, device: str) -> torch.dtype:
    """Return bfloat16, or float32 where the settings or a CPU without fast bfloat16 ask for it."""
    if settings.dtype != "auto":
        return torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32
    fast = device == "cuda" or machine.has_fast_bf16()
    return torch.bfloat16 if fast else torch.float32


def set_threads(settings: EngineSettings, device: str) -> Threads | None:
    """Set the number of threads; return what adapts it, unless it is the user's or a GPU's."""
    if settings.threads or device != "cpu":
        torch.set_num_threads(settings.threads or machine.cores())
        return None
    return Threads(machine.cores(), torch.set_num_threads)


def device_map(config: dict[str, Any], settings: EngineSettings) -> dict[str, int | str]:
    """
    Return where each part of a checked model goes: all of it on the CPU, or GPUs as they are free.

    Raises ModelError, with the numbers, where the GPUs and main memory cannot hold it.
    """
    if choose_device(settings) == "cpu":
        return {"": "cpu"}
    free = [torch.cuda.mem_get_info(gpu)[0] for gpu in range(torch.cuda.device_count())]
    # CUDA's context is there already, where it was asked for the free memory.
    free = [one + CUDA for one in free]
    try:
        needs = needs_of(config, settings)
        placed = place(needs, free, machine.free_memory(), settings.slots)
    except ModelError as error:
        smaller = "" if settings.quantization == "int8" else "engine.quantization to int8, or "
        raise ModelError(f"{error}; set {smaller}engine.device to cpu") from None
    return named(config, placed)


def named(config: dict[str, Any], placed: Placement) -> dict[str, int | str]:
    """Return a placement by the names that transformers' classes give to their parts."""
    if len(placed.gpus) == 1 and not placed.offloaded:
        return {"": placed.first}
    base, layers, *others = _PARTS[model_config.architecture(config)]
    parts: dict[str, int | str] = {f"{base}.{part}": placed.first for part in others}
    for number, gpu in enumerate(placed.layers):
        parts[f"{base}.{layers}.{number}"] = "cpu" if gpu is None else gpu
    return {**parts, "lm_head": placed.first}


def load(folder: Path, config: dict[str, Any], settings: EngineSettings, report: Report) -> Any:
    """
    Return transformers' model of a checked `folder`, in inference mode, on its devices, its layers
    fused and a CPU's bfloat16 weights packed.

    `report` hears of each tensor. Raises ModelError.
    """
    device = choose_device(settings)
    devices = device_map(config, settings)
    attention.register()
    config_class, model_class = _CLASSES[model_config.architecture(config)]
    known = {k: v for k, v in config.items() if k not in ("dtype", "torch_dtype", "architectures")}
    # The hook replaces transformers' progress bar over the tensors.
    previous = transformers_logging.set_tqdm_hook(
        lambda _factory, args, kwargs: _Reporting(report, *args, **kwargs)
    )
    try:
        model = model_class.from_pretrained(
            str(folder),
            config=config_class(**known),
            dtype=choose_dtype(settings, device),
            device_map=devices,
            quantization_config=Int8Config() if settings.quantization == "int8" else None,
            attn_implementation=attention.NAME,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except torch.OutOfMemoryError:
        raise ModelError(
            f"{folder.name} does not fit into the GPU's memory; set engine.quantization to int8 "
            "or engine.device to cpu, or choose a smaller model"
        ) from None
    finally:
        transformers_logging.set_tqdm_hook(previous)
    model.eval().requires_grad_(False)
    if hasattr(model.base_model, "bias"):
        # A causal mask that nothing reads any more, of 67 MB for 8192 tokens.
        model.base_model.register_buffer("bias", None, persistent=False)
    fusing.fuse(model)
    packing.pack(model)
    int8.use_kernel(model)
    machine.give_back_memory()
    return model


def longest_step(model: Any, needs: Needs) -> int:
    """Return how many tokens at once there is room for on the GPUs of `model` beside it."""
    gpus = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    if not gpus:
        return sys.maxsize
    torch.cuda.empty_cache()
    free = min(torch.cuda.mem_get_info(gpu)[0] for gpu in gpus)
    return max(LEAST_STEP, free // needs.step)


class _Reporting:
    """What transformers uses of a progress bar: iterated, or moved by hand."""

    def __init__(
        self, report: Report, iterable: Any = (), *_: Any, total: int | None = None, **__: Any
    ) -> None:
        self._report = report
        self._iterable = iterable
        self._total = total or (len(iterable) if hasattr(iterable, "__len__") else 0)
        self._done = 0

    def __iter__(self) -> Any:
        for item in self._iterable:
            yield item
            self.update()

    def update(self, count: int = 1) -> None:
        self._done += count
        if self._total:
            self._report(min(1.0, self._done / self._total))

    def __enter__(self) -> "_Reporting":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., None]:
        """All else that a progress bar can do (its text, its look) is nothing here."""
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None
