"""Which slot a request gets, and what of it is reused."""

from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.engine.slots import Place, SlotTable, common_prefix


def fill(table: SlotTable, ids: list[int]) -> int:
    """Compute a whole sequence and leave."""
    place = table.take(ids, len(ids))
    table.grow(place.slot, len(ids))
    table.release(place.slot)
    return place.slot


@given(st.lists(st.integers(0, 2), max_size=300), st.data())
def test_the_common_prefix_is_as_long_as_a_plain_loop_says(
    a: list[int], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(a)))
    b = a[:cut] + data.draw(st.lists(st.integers(0, 2), max_size=100))
    limit = data.draw(st.integers(0, 300))
    n = 0
    while n < min(limit, len(a), len(b)) and a[n] == b[n]:
        n += 1
    assert common_prefix(a, b, limit) == n


def test_a_first_request_finds_nothing_cached() -> None:
    assert SlotTable(2).take([1, 2, 3], 2) == Place(0, 0)


def test_one_more_token_reuses_all_rows_in_place() -> None:
    table = SlotTable(3)
    slot = fill(table, [1, 2, 3])
    assert table.take([1, 2, 3, 4], 3) == Place(slot, 3)


def test_no_more_rows_are_reused_than_allowed() -> None:
    table = SlotTable(2)
    slot = fill(table, [1, 2, 3])
    assert table.take([1, 2, 3], 2) == Place(slot, 2)


def test_rows_that_were_never_computed_are_not_reused() -> None:
    table = SlotTable(2)
    place = table.take([1, 2, 3, 4], 4)
    table.grow(place.slot, 2)
    table.release(place.slot)
    assert table.take([1, 2, 3, 4], 3).cached == 2


def test_a_short_common_beginning_is_copied_so_that_the_other_keeps_its_own() -> None:
    table = SlotTable(2)
    first = fill(table, [1, 2, 3, 4, 5, 6])
    place = table.take([1, 2, 9, 9], 3)
    assert place == Place(1 - first, 2, copy_from=first)
    table.release(place.slot)
    assert table.take([1, 2, 3, 4, 5, 6], 6).cached == 6


def test_rows_of_a_running_request_are_copied_and_never_taken() -> None:
    table = SlotTable(2)
    first = table.take([1, 2, 3], 2)
    table.grow(first.slot, 3)
    assert table.take([1, 2, 3, 4], 3) == Place(1 - first.slot, 3, copy_from=first.slot)


def test_the_slot_used_least_recently_is_given_up_first() -> None:
    table = SlotTable(3)
    slots = [fill(table, [n] * 4) for n in (1, 2, 3)]
    assert sorted(slots) == [0, 1, 2]
    fill(table, [1, 1, 1, 1, 1])
    assert table.take([9, 9], 1).slot == slots[1]


def test_the_only_free_slot_is_taken_with_what_it_shares() -> None:
    table = SlotTable(1)
    fill(table, [1, 2, 3, 4, 5, 6])
    assert table.take([1, 7], 1) == Place(0, 1)


def test_forgotten_rows_are_not_reused() -> None:
    table = SlotTable(1)
    place = table.take([1, 2, 3], 3)
    table.grow(place.slot, 3)
    table.forget(place.slot)
    table.release(place.slot)
    assert table.take([1, 2, 3], 2).cached == 0


SEQUENCES = st.lists(st.integers(0, 1), min_size=1, max_size=8)


@given(st.lists(st.tuples(SEQUENCES, st.booleans(), st.integers(0, 8)), max_size=40))
def test_reused_rows_always_hold_the_tokens_that_are_asked_for(
    asked: list[tuple[list[int], bool, int]],
) -> None:
    table, memory, busy = SlotTable(3), [list[int]() for _ in range(3)], list[int]()
    for ids, stays, computed in asked:
        if not table.free:
            table.release(busy.pop(0))
        place = table.take(ids, len(ids) - 1)
        assert place.slot not in busy
        if place.copy_from is not None:
            memory[place.slot] = memory[place.copy_from][: place.cached]
        assert memory[place.slot][: place.cached] == ids[: place.cached]
        rows = min(len(ids), place.cached + computed)
        memory[place.slot] = ids[:rows]
        table.grow(place.slot, rows)
        if stays:
            busy.append(place.slot)
        else:
            table.release(place.slot)
