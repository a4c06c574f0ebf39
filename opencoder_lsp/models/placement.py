"""
Which layer of a model goes to which GPU, and which wait in main memory.

Each layer's keys and values lie where it is computed. A layer in main memory is computed on the
first GPU, its weights brought there for each step: that works, at the speed of the bus.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models.needs import MOST_SLOTS, Needs

# What the system and other programs should keep of main memory.
SPARED = 2_000_000_000


@dataclass(frozen=True)
class Placement:
    """The number of a GPU for each layer, None for main memory; `first` has what is in no layer."""

    first: int
    layers: tuple[int | None, ...]

    @property
    def gpus(self) -> list[int]:
        """The GPUs in use, in order."""
        return sorted({self.first, *(gpu for gpu in self.layers if gpu is not None)})

    @property
    def offloaded(self) -> int:
        """Number of layers in main memory."""
        return self.layers.count(None)


def place(needs: Needs, gpus: Sequence[int], memory: int = 0, slots: int = 0) -> Placement:
    """
    Place a model on GPUs of which so many bytes may be used, and in `memory` bytes beside.

    One GPU is taken where that is enough, the one with most room; else as few layers as possible
    wait in main memory, and with 0 `slots` there is room for as many as then can be. Raises
    ModelError with the numbers where it does not fit.
    """
    largest = max(range(len(gpus)), key=gpus.__getitem__, default=-1)
    if gpus and needs.total(max(1, slots)) <= gpus[largest]:
        return Placement(largest, (largest,) * needs.layers)
    for offloaded in range(needs.layers + 1):
        if offloaded and offloaded * needs.layer + SPARED > memory:
            break
        for count in [slots] if slots else range(MOST_SLOTS, 0, -1):
            for first in range(len(gpus)):
                layers = _fill(needs, gpus, first, count, offloaded)
                if len(layers) == needs.layers:
                    return Placement(first, layers)
    raise ModelError(_too_large(needs, gpus, memory, max(1, slots)))


def _fill(
    needs: Needs, gpus: Sequence[int], first: int, slots: int, offloaded: int
) -> tuple[int | None, ...]:
    """
    Fill one GPU after the other, from `first` on; layers are missing where they do not fit.

    The order is that of their numbers, as accelerate, too, takes the lowest as the main one.
    """
    slots_in_layer = slots * needs.token * needs.context
    layers = list[int | None]()
    for gpu in range(first, len(gpus)):
        room = gpus[gpu] - needs.work
        if gpu == first:
            room -= needs.outside + offloaded * slots_in_layer
            room -= needs.largest if offloaded else 0
            if room < 0:
                return ()
        most = max(0, room) // (needs.layer + slots_in_layer)
        layers += [gpu] * min(most, needs.layers - offloaded - len(layers))
    return (*layers, *[None] * offloaded)


def _too_large(needs: Needs, gpus: Sequence[int], memory: int, slots: int) -> str:
    have = " + ".join(f"{size / 1e9:.1f}" for size in gpus) or "0.0"
    beside = f", and {max(0, memory - SPARED) / 1e9:.1f} GB of main memory" if memory else ""
    return (
        f"it needs {needs.total(slots) / 1e9:.1f} GB of GPU memory and there are {have} GB{beside}"
    )
