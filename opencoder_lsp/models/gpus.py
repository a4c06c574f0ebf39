"""What the NVIDIA GPUs of this machine can hold, and whether torch can use them; without torch."""

import logging
import os
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

_WITHOUT_CUDA = ("cpu", "rocm", "xpu")  # in the version of a torch


@dataclass(frozen=True)
class Memory:
    """Bytes of a GPU, or of several together."""

    total: int = 0
    free: int = 0


def torch_fault() -> str:
    """Say why the torch that is installed cannot use a GPU, by its version; "" where it may."""
    from importlib import metadata  # takes a while, and only the choice of a model asks

    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "torch is not installed"
    # As pytorch.org names its builds: 2.13.0+cpu, 2.13.0+cu130; those of PyPI have no suffix.
    if version.partition("+")[2].startswith(_WITHOUT_CUDA):
        return f"torch {version} is a build without CUDA"
    return ""


def memory() -> Memory:
    """Return the memory of all NVIDIA GPUs that CUDA_VISIBLE_DEVICES allows, nothing without."""
    gpus = each()
    return Memory(sum(gpu.total for gpu in gpus), sum(gpu.free for gpu in gpus))


def each() -> list[Memory]:
    """Return the memory of each of these GPUs, in the order in which torch counts them."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        infos = [pynvml.nvmlDeviceGetMemoryInfo(handle) for handle in _visible(pynvml)]
        return [Memory(int(info.total), int(info.free)) for info in infos]
    except pynvml.NVMLError as error:
        log.warning("cannot ask for the GPUs' memory: %s", error)
        return []
    finally:
        pynvml.nvmlShutdown()


def _visible(pynvml: Any) -> list[Any]:
    """CUDA_VISIBLE_DEVICES: numbers or UUID prefixes; CUDA ignores all after the first bad one."""
    handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return handles
    chosen = list[Any]()
    for entry in (part.strip() for part in allowed.split(",")):
        if entry.isdecimal():
            match = handles[int(entry) : int(entry) + 1]
        else:
            match = [h for h in handles if entry and pynvml.nvmlDeviceGetUUID(h).startswith(entry)]
        if len(match) != 1:
            break
        chosen += match
    return chosen
