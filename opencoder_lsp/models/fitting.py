"""What a model takes with the settings at hand, and where on this machine it would fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import psutil

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models import gpus
from opencoder_lsp.models.needs import (
    CUDA,
    KINDS,
    MOST_SLOTS,
    SLOT_SHARE,
    TORCH,
    Needs,
    Quantization,
)
from opencoder_lsp.models.placement import SPARED, Placement, place
from opencoder_lsp.settings import EngineSettings


@dataclass(frozen=True)
class Machine:
    """
    Bytes of memory: of each GPU that torch can use, and of the machine.

    It is all that there is, free or not: an engine that runs already has filled it.
    """

    gpus: Sequence[int]
    memory: int

    @classmethod
    def here(cls) -> Self:
        """Look at this one."""
        total = [] if gpus.torch_fault() else [gpu.total for gpu in gpus.each()]
        return cls(total, int(psutil.virtual_memory().total))

    @property
    def words(self) -> str:
        """What it has, for people."""
        each = "".join(
            f"GPU {number} with {size / 1e9:.1f} GB, " for number, size in enumerate(self.gpus)
        )
        return f"{each}{self.memory / 1e9:.1f} GB of main memory"


@dataclass(frozen=True)
class Fit:
    """
    What a model takes with one kind of weights. `where` says in words where it would run, and is
    empty where it would not; `slots` is how many requests of full length it could hold there.
    """

    quantization: Quantization
    needs: Needs
    where: str
    slots: int
    beside: int

    @property
    def total(self) -> int:
        """Bytes in all, with one slot."""
        return self.needs.weights + self.needs.slot + self.beside

    @property
    def sum(self) -> str:
        """The arithmetic, in words: weights, one slot, and what work needs beside them."""
        needs = self.needs
        weights, slot, beside = (
            f"{size / 1e9:.2f} GB" for size in (needs.weights, needs.slot, self.beside)
        )
        each = f"{needs.per_token / 1e3:.1f} kB"
        return (
            f"{weights} of weights + {slot} for {needs.context} tokens of {each} + {beside} to "
            f"work in = {self.total / 1e9:.1f} GB"
        )

    @property
    def outcome(self) -> str:
        """Where it would run and how many requests of full length it holds, in words."""
        requests = "1 request" if self.slots == 1 else f"{self.slots} requests"
        return f"runs {self.where}, {requests} at once" if self.where else "does not fit here"


def needs_of(
    config: Mapping[str, Any], engine: EngineSettings, quantization: Quantization | None = None
) -> Needs:
    """Return what a model takes with these settings, `quantization` in place of theirs."""
    return Needs.of(
        config,
        quantization or engine.quantization,
        number=4 if engine.dtype == "float32" else 2,
        context=min(engine.context, model_config.context_length(dict(config))),
    )


def fits(config: Mapping[str, Any], engine: EngineSettings, machine: Machine) -> list[Fit]:
    """Return how a model fits with each kind of weights."""
    return [_fit(needs_of(config, engine, kind), kind, engine, machine) for kind in KINDS]


def why_not_on(config: Mapping[str, Any], engine: EngineSettings, have: Sequence[int]) -> str:
    """Say why a model does not fit on GPUs alone, and whether it would with int8; "" if it does."""
    try:
        place(needs_of(config, engine), have, slots=engine.slots)
    except ModelError as error:
        if engine.quantization == "none":
            smaller = engine.model_copy(update={"quantization": "int8"})
            if not why_not_on(config, smaller, have):
                return f"{error}; it does fit with engine.quantization int8"
        return str(error)
    return ""


def _fit(needs: Needs, kind: Quantization, engine: EngineSettings, machine: Machine) -> Fit:
    if engine.device != "cpu" and machine.gpus:
        try:
            placed = place(needs, machine.gpus, machine.memory, engine.slots)
        except ModelError:
            return Fit(kind, needs, "", 0, needs.work)
        slots = engine.slots or _slots(needs, placed, machine.gpus)
        return Fit(kind, needs, _on_gpus(placed), slots, needs.work)
    room = machine.memory - SPARED - TORCH - needs.weights
    slots = engine.slots or min(MOST_SLOTS, int(SLOT_SHARE["cpu"] * max(0, room)) // needs.slot)
    if room < max(1, slots) * needs.slot or engine.device == "cuda":
        return Fit(kind, needs, "", 0, TORCH)
    return Fit(kind, needs, "on the CPU", max(1, slots), TORCH)


def _slots(needs: Needs, placed: Placement, have: Sequence[int]) -> int:
    """Return how many slots the engine makes by itself: a share of what the weights leave."""
    most = MOST_SLOTS
    for gpu in placed.gpus:
        first = gpu == placed.first
        here = placed.layers.count(gpu)
        free = have[gpu] - CUDA - here * needs.layer - (needs.outside if first else 0)
        layers = here + (placed.offloaded if first else 0)
        most = min(most, int(SLOT_SHARE["cuda"] * free) // (layers * needs.token * needs.context))
    return max(1, most)


def _on_gpus(placed: Placement) -> str:
    names = " and ".join(str(gpu) for gpu in placed.gpus)
    where = f"on GPU {names}" if len(placed.gpus) == 1 else f"on GPUs {names}"
    if placed.offloaded:
        where += f", slowly: {placed.offloaded} of {len(placed.layers)} layers wait in main memory"
    return where
