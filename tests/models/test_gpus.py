"""How much memory the GPUs have that CUDA would show."""

import sys
from types import SimpleNamespace

import pytest

from opencoder_lsp.models import gpus


class FakeNvml:
    """Stands in for pynvml with GPUs of 10, 20 and 30 bytes."""

    NVMLError = RuntimeError

    def __init__(self) -> None:
        self.open = 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{'abc'[handle]}000"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(total=10 * (handle + 1), free=handle + 1)


@pytest.mark.parametrize(
    ("visible", "memory"),
    [
        (None, 60),
        ("", 0),
        ("-1", 0),
        ("2", 30),
        ("0,1", 30),
        ("0,7,1", 10),
        ("GPU-b", 20),
        ("GPU-c000, GPU-a000", 40),
        ("GPU-", 0),
    ],
)
def test_gpu_memory_is_that_of_the_visible_gpus(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, memory: int
) -> None:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.memory() == gpus.Memory(total=memory, free=memory // 10)
    assert fake.open == 0
    assert sum(gpu.total for gpu in gpus.each()) == memory


def test_a_machine_without_nvidia_driver_has_no_gpu_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoDriver(FakeNvml):
        def nvmlInit(self) -> None:
            raise RuntimeError("driver not loaded")

    monkeypatch.setitem(sys.modules, "pynvml", NoDriver())
    assert gpus.memory() == gpus.Memory()
    assert gpus.each() == []
