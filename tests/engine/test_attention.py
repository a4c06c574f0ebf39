"""Attention over slots against its definition, written out for one token at a time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from opencoder_lsp.engine.attention import Layout, Segment, attend
from opencoder_lsp.engine.cache import SlotMemory

CPU = torch.device("cpu")
SLOTS, ROWS, DIM = 4, 24, 8
SCALING = 0.3


def segments(parts: list[tuple[int, int]], rows: int = ROWS) -> list[Segment]:
    """Make one segment of each (start, count), for slot 0, 1, …, that has so many rows."""
    made: list[Segment] = []
    for slot, (start, count) in enumerate(parts):
        offset = made[-1].offset + made[-1].count if made else 0
        made.append(Segment(slot, start, min(count, rows - start), offset))
    return made


def defined(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return [heads, dim]: what one token [heads, dim] sees of rows [kv heads, rows, dim]."""
    group = query.shape[0] // keys.shape[0]
    seen = []
    for head, row in enumerate(query):
        weights = (keys[head // group] @ row * SCALING).softmax(dim=0)
        seen.append(weights @ values[head // group])
    return torch.stack(seen)


def step(
    memory: SlotMemory, known: Tensor, parts: list[Segment], heads: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """
    Write the rows of a step, of those that are `known`, and let it attend.

    Returns what its tokens see, and what they see by definition: [N, heads, dim] both.
    """
    layout, layer = Layout(parts), 1
    memory.begin(layout)
    written = [known[one.slot, :, one.start : one.end] for one in parts]
    keys, values = memory.write(torch.cat(written, dim=1).to(dtype), layer)
    count = sum(one.count for one in parts)
    query = torch.randn(1, heads, count, DIM).to(dtype)
    module = torch.nn.Module()
    seen, _ = attend(module, query, keys, values, None, layout=layout, scaling=SCALING)
    kv_heads = known.shape[1] // 2
    expected = [
        defined(
            query[0, :, one.offset + n].double(),
            known[one.slot, :kv_heads, : one.start + n + 1],
            known[one.slot, kv_heads:, : one.start + n + 1],
        )
        for one in parts
        for n in range(one.count)
    ]
    return seen[0], torch.stack(expected)


PARTS = st.lists(
    st.tuples(st.integers(0, ROWS - 1), st.integers(1, ROWS)), min_size=1, max_size=SLOTS
)


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 1), (6, 2), (3, 3)])
@given(PARTS, st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_each_token_sees_the_rows_of_its_slot_up_to_its_own(
    heads: int, kv_heads: int, parts: list[tuple[int, int]], seed: int
) -> None:
    torch.manual_seed(seed)
    memory = SlotMemory([CPU, CPU], SLOTS, kv_heads, ROWS, DIM, torch.float32)
    known = torch.randn(SLOTS, 2 * kv_heads, ROWS, DIM, dtype=torch.double)
    # Rows before the step are there already; nobody may read those behind it.
    for block in memory._blocks:
        block.fill_(float("nan"))
    for one in segments(parts):
        memory._blocks[1][one.slot, :, : one.start] = known[one.slot, :, : one.start]
    seen, expected = step(memory, known, segments(parts), heads, torch.float32)
    torch.testing.assert_close(seen.double(), expected, rtol=1e-5, atol=1e-5)
    assert memory._blocks[0].isnan().all()  # the other layer's


@pytest.mark.parametrize("rows", [200, 330])
@pytest.mark.parametrize(
    "parts", [[(0, 64)], [(0, 101)], [(0, 200)], [(37, 65)], [(1, 130)], [(5, 70), (0, 90), (9, 2)]]
)
def test_long_segments_see_nothing_of_what_they_are_filled_up_with(
    parts: list[tuple[int, int]], rows: int
) -> None:
    torch.manual_seed(0)
    memory = SlotMemory([CPU, CPU], SLOTS, 2, rows, DIM, torch.float32)
    known = torch.randn(SLOTS, 4, rows, DIM, dtype=torch.double)
    memory._blocks[1].fill_(float("nan"))
    cut = segments(parts, rows)
    for one in cut:
        memory._blocks[1][one.slot, :, : one.start] = known[one.slot, :, : one.start]
    seen, expected = step(memory, known, cut, 4, torch.float32)
    torch.testing.assert_close(seen.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("parts", [[(0, 9)], [(9, 1)], [(9, 5)], [(9, 1), (3, 7), (0, 1)]])
@pytest.mark.parametrize("kv_heads", [1, 2])
def test_bfloat16_differs_by_roundings_only(kv_heads: int, parts: list[tuple[int, int]]) -> None:
    torch.manual_seed(0)
    memory = SlotMemory([CPU, CPU], SLOTS, kv_heads, ROWS, DIM, torch.bfloat16)
    known = torch.randn(SLOTS, 2 * kv_heads, ROWS, DIM).bfloat16().double()
    memory._blocks[1].copy_(known)
    seen, expected = step(memory, known, segments(parts), 4, torch.bfloat16)
    torch.testing.assert_close(seen.double(), expected, rtol=2**-5, atol=2**-5)


def test_a_copy_takes_the_first_rows_of_each_layer_and_no_more() -> None:
    memory = SlotMemory([CPU, CPU], SLOTS, 2, ROWS, DIM, torch.float32)
    for number, block in enumerate(memory._blocks):
        block.copy_(torch.arange(block.numel()).view(block.shape) + number)
    before = [block.clone() for block in memory._blocks]
    memory.copy(3, 1, 5)
    for block, old in zip(memory._blocks, before, strict=True):
        assert torch.equal(block[1, :, :5], old[3, :, :5])
        assert torch.equal(block[1, :, 5:], old[1, :, 5:])
        assert torch.equal(block[[0, 2, 3]], old[[0, 2, 3]])
