"""Engines that others use, too: one with other settings than ours, or of another model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from opencoder_lsp.client.process import EngineProcess, running_engines
from opencoder_lsp.client.wire import Health
from opencoder_lsp.errors import EngineUnavailableError
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models import gpus
from opencoder_lsp.models.fitting import needs_of
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import EngineSettings, Settings

# Memory, in bytes, that an engine needs beside its weights: torch or the CUDA context, KV cache.
_BESIDE_ON_CPU = 1_200_000_000
_BESIDE_ON_GPU = 2_000_000_000


def differences(own: EngineSettings, health: Health) -> str:
    """
    Say how a running engine's settings differ from ours, and the cure; "" where they do not.

    Whatever is "auto" or 0 there may have come out as what we ask for: that is no difference.
    """
    found = [
        f"engine.{name} is {_written(theirs)} there and {_written(ours)} here"
        for name, theirs, ours in _differing(own, health)
    ]
    if not found:
        return ""
    return (
        f"the engine that runs has other settings and is used as it is: {'; '.join(found)}; to "
        "start one with the settings here, run: opencoder-lsp engine stop"
    )


def _differing(own: EngineSettings, health: Health) -> Iterator[tuple[str, Any, Any]]:
    came_out = {
        "device": health.device.partition(":")[0],  # cuda:0
        "dtype": health.dtype,
        "context": health.context_length,
        "slots": health.slots,
    }
    ours = own.model_dump()
    for name, theirs in health.settings.items():
        if name in ours and ours[name] not in (theirs, came_out.get(name)):
            yield name, theirs, ours[name]


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def check_memory(settings: Settings, model: Model, socket: Path) -> None:
    """
    Raise EngineUnavailableError where another engine leaves no memory for that of `model`.

    Where no other engine runs, nothing is checked: what an engine cannot load it says itself, and
    better. Blocks for a moment.
    """
    others = [engine for path, engine in running_engines().items() if path != socket]
    if not others:
        return
    weights = _weights(settings.engine, model)
    need, free, kind = _on_cpu(weights)
    if settings.engine.device != "cpu" and not gpus.torch_fault():
        memory = gpus.memory()
        if memory.total:
            need, free, kind = weights + _BESIDE_ON_GPU, memory.free, "GPU memory"
    if need > free:
        raise EngineUnavailableError(_refusal(model, others, need, free, kind))


def _weights(engine: EngineSettings, model: Model) -> int:
    """Return the bytes that the weights have when they are loaded; pulled are they in bfloat16."""
    if engine.quantization != "none":
        return needs_of(model_config.read(model.folder), engine).weights
    files = model.manifest.files.items()
    size = sum(record.size for name, record in files if name.endswith(".safetensors"))
    return 2 * size if engine.dtype == "float32" else size


def _on_cpu(weights: int) -> tuple[int, int, str]:
    return weights + _BESIDE_ON_CPU, psutil.virtual_memory().available, "memory"


def _refusal(model: Model, others: list[EngineProcess], need: int, free: int, kind: str) -> str:
    running = ", ".join(f"that of {engine.model} (process {engine.pid})" for engine in others)
    return (
        f"the engine of {model.name} needs {need / 1e9:.1f} GB of {kind}, but {free / 1e9:.1f} GB "
        f"are free while another engine runs, {running}; to end it, run: opencoder-lsp engine "
        "stop --all"
    )
