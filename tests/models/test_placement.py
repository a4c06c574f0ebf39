"""Which layers go where, by numbers alone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models.known import KNOWN, OPENCODERPLUS
from opencoder_lsp.models.needs import Needs
from opencoder_lsp.models.placement import SPARED, Placement, place

GB = 10**9
PLAIN, SMALL = Needs.of(OPENCODERPLUS.shape), Needs.of(OPENCODERPLUS.shape, "int8")
LAYERS = PLAIN.layers


def taken(needs: Needs, placed: Placement, slots: int) -> dict[int, int]:
    """Return how many bytes are used of each GPU."""
    used = dict[int, int]()
    for gpu in placed.gpus:
        here = placed.layers.count(gpu)
        used[gpu] = needs.work + here * (needs.layer + slots * needs.token * needs.context)
    used[placed.first] += needs.outside
    if placed.offloaded:
        kept = placed.offloaded * slots * needs.token * needs.context
        used[placed.first] += kept + needs.largest
    return used


@pytest.mark.parametrize(
    ("needs", "gpus", "gpu"), [(PLAIN, [80 * GB], 0), (SMALL, [12 * GB, 24 * GB], 1)]
)
def test_a_model_that_fits_on_one_gpu_is_on_that_alone(
    needs: Needs, gpus: list[int], gpu: int
) -> None:
    assert place(needs, gpus) == Placement(gpu, (gpu,) * LAYERS)


def test_two_gpus_share_the_layers_in_order() -> None:
    placed = place(PLAIN, [24 * GB, 24 * GB])
    assert placed.gpus == [0, 1]
    assert placed.offloaded == 0
    assert placed.layers == (0,) * placed.layers.count(0) + (1,) * placed.layers.count(1)
    assert all(used <= 24 * GB for used in taken(PLAIN, placed, 8).values())


def test_what_no_gpu_holds_waits_in_main_memory() -> None:
    placed = place(PLAIN, [24 * GB], 64 * GB)
    assert 0 < placed.offloaded < LAYERS // 2
    assert placed.layers[-placed.offloaded :] == (None,) * placed.offloaded
    more = place(PLAIN, [24 * GB], 64 * GB, slots=64)
    assert more.offloaded > placed.offloaded


@given(
    gpus=st.lists(st.integers(0, 40 * GB), max_size=4),
    memory=st.integers(0, 64 * GB),
    slots=st.integers(1, 8),
    name=st.sampled_from(sorted(KNOWN)),
)
def test_a_placement_never_takes_more_than_there_is(
    gpus: list[int], memory: int, slots: int, name: str
) -> None:
    needs = Needs.of(KNOWN[name].shape)
    try:
        placed = place(needs, gpus, memory, slots)
    except ModelError:
        assert not gpus or needs.total(slots) > max(gpus)
        return
    assert len(placed.layers) == needs.layers
    for gpu, used in taken(needs, placed, slots).items():
        assert used <= gpus[gpu]
    if placed.offloaded:
        assert placed.offloaded * needs.layer + SPARED <= memory
    # Each GPU computes one run of layers: what goes on to the next GPU goes once.
    runs = 1 + sum(left != right for left, right in pairwise(placed.layers))
    assert runs == len(set(placed.layers))


@pytest.mark.parametrize(
    ("gpus", "memory", "says"),
    [
        ([], 0, r"needs 32\.0 GB of GPU memory and there are 0\.0 GB$"),
        ([12 * GB, 8 * GB], 0, r"32\.0 GB of GPU memory and there are 12\.0 \+ 8\.0 GB$"),
        ([12 * GB], 10 * GB, r"there are 12\.0 GB, and 8\.0 GB of main memory$"),
    ],
)
def test_what_does_not_fit_is_said_with_the_numbers(
    gpus: list[int], memory: int, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        place(PLAIN, gpus, memory)
