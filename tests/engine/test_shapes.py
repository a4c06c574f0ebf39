"""Sizes that matrices are filled up to."""

from opencoder_lsp.engine.shapes import filled, multiple


def test_each_size_is_filled_up_a_little_and_decode_steps_not_at_all() -> None:
    assert [filled(rows) for rows in range(9)] == list(range(9))
    assert [filled(rows) for rows in (9, 16, 17, 64, 65, 128, 129, 256, 257, 512)] == [
        *(16, 16, 24, 64, 80, 128, 160, 256, 320, 512)
    ]
    for rows in range(9, 5000):
        assert rows <= filled(rows) < 1.8 * rows
        assert filled(filled(rows)) == filled(rows)


def test_few_sizes_do_for_all() -> None:
    assert len({filled(rows) for rows in range(513)}) < 32


def test_a_multiple_is_the_smallest_that_is_enough() -> None:
    assert [multiple(rows, 64) for rows in (0, 1, 64, 65)] == [0, 64, 64, 128]
