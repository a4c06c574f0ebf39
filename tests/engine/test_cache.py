"""How many slots there are, how long, and in how many bytes."""

import errno
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from opencoder_lsp.engine import machine
from opencoder_lsp.engine.attention import Layout, Segment
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.errors import ModelError
from tests.fakes.checkpoints import CONTEXT, make_model

VOCABULARY = 260
# The models of `make_model`: gpt_bigcode has one head of keys and values for all of its queries.
LAYERS, DIM = 2, 16
KINDS: list[tuple[str, dict[str, Any], int]] = [
    ("gpt_bigcode", {"multi_query": True}, 1),
    ("gpt_bigcode", {"multi_query": False}, 4),
    ("llama", {}, 2),
]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say how many bytes are free on this computer."""
    return lambda count: monkeypatch.setattr(machine, "free_memory", lambda: count)


def llama() -> Any:
    """Make a model whose slots have CONTEXT * 512 bytes each."""
    return make_model("llama", vocab_size=VOCABULARY)


SLOT = 2 * LAYERS * 2 * DIM * 4 * CONTEXT  # bytes of one of the above


def allocated(memory: SlotMemory) -> int:
    """Return the bytes that torch has set aside for the tensors of a memory."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in (*memory._keys, *memory._values)
    }
    return sum(storages.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("architecture", "changes", "kv_heads"), KINDS)
@pytest.mark.parametrize("slots", [0, 3])
def test_the_memory_has_the_bytes_of_the_formula(
    architecture: Any, changes: dict[str, Any], kv_heads: int, dtype: torch.dtype, slots: int
) -> None:
    model = make_model(architecture, vocab_size=VOCABULARY, **changes).to(dtype)
    memory = SlotMemory.for_model(model, CONTEXT, slots)
    assert memory.slots == slots or (not slots and 1 <= memory.slots <= 8)
    formula = 2 * LAYERS * kv_heads * DIM * dtype.itemsize * CONTEXT * memory.slots
    assert allocated(memory) == pytest.approx(formula, rel=0.05)
    assert memory.nbytes == formula


def test_as_many_slots_as_a_share_of_the_free_memory_holds(free: Any) -> None:
    free(4 * 3 * SLOT)
    assert SlotMemory.for_model(llama(), CONTEXT).slots == 3
    free(4 * 3 * SLOT - 4)
    assert SlotMemory.for_model(llama(), CONTEXT).slots == 2
    free(100 * SLOT)
    assert SlotMemory.for_model(llama(), CONTEXT).slots == 8


def test_the_user_may_have_more_slots_than_a_share_holds_and_fewer(free: Any) -> None:
    free(4 * 3 * SLOT)
    assert SlotMemory.for_model(llama(), CONTEXT, 10).slots == 10
    assert SlotMemory.for_model(llama(), CONTEXT, 1).slots == 1


def test_a_context_that_does_not_fit_says_what_is_needed_what_there_is_and_the_cure(
    free: Any,
) -> None:
    free(4 * (SLOT - 1))
    rows = 1000 * CONTEXT  # so that the numbers are seen in GB
    with pytest.raises(ModelError) as caught:
        SlotMemory.for_model(llama(), rows)
    assert f"a context of {rows} tokens needs 0.13 GB on cpu, but 0.00 GB" in str(caught.value)
    assert str(caught.value).endswith("lower engine.context")


def test_slots_that_do_not_fit_are_said_with_both_numbers_and_both_cures(free: Any) -> None:
    free(60 * 1024**3)
    rows = 2_000_000
    with pytest.raises(ModelError) as caught:
        SlotMemory.for_model(llama(), rows, 64)
    assert str(caught.value) == (
        "engine.slots is 64, each for a context of 2000000 tokens, which needs 65.54 GB on cpu, "
        "but 57.98 GB are to be had beside the model; lower engine.context or engine.slots"
    )


def test_memory_that_the_system_refuses_is_an_error_with_the_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    model = llama()
    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.raises(ModelError, match=r"could not be reserved; lower engine\.context or"):
        SlotMemory.for_model(model, CONTEXT, 2)


def test_rows_take_memory_in_small_pages_as_they_are_written() -> None:
    smaps = Path("/proc/self/smaps")
    if not smaps.exists():
        pytest.skip("only Linux tells what is mapped")
    memory = SlotMemory([torch.device("cpu")], 4, 2, 1 << 16, DIM, torch.float32)
    memory.begin(Layout([Segment(slot=1, start=0, count=1, offset=0)]))
    address = memory._blocks[0].data_ptr()

    def resident() -> int:
        mapping = next(one for one in mappings(smaps.read_text()) if holds(one, address))
        assert "nh" in mapping["VmFlags"].split()
        return int(mapping["Rss"].removesuffix(" kB"))

    # The system may have joined the mapping with that of another memory beside it.
    before = resident()
    memory.write(torch.ones(4, 1, DIM), 0)
    # One page for the row of each head, and nothing of the other slots.
    assert resident() - before == 4 * mmap.PAGESIZE // 1024


def mappings(smaps: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each mapping; "range" is its addresses."""
    for text in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", smaps):
        head, *lines = text.splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        yield {"range": head.split()[0], **{k: v.strip() for k, v in fields.items()}}


def holds(mapping: dict[str, str], address: int) -> bool:
    start, end = (int(number, 16) for number in mapping["range"].split("-"))
    return start <= address < end
