"""
Sizes to which matrices are filled up on a CPU, so that few kernels do for all of them.

oneDNN makes and keeps a kernel of its own, about half a megabyte, for each number of rows that it
meets, and torch's attention one for each remainder of its blocks. Prompts have any number of
tokens: unfilled, products of 33 to 511 rows took 3.8 times as long, most of it for making kernels,
and the process grew by gigabytes (torch 2.13, measured on the demo model's shapes).
"""

_EXACT = 8  # a decode step's rows
_STEPS = ((64, 8), (128, 16), (256, 32))  # up to so many: multiples of so many
BLOCK = 64  # beyond


def filled(rows: int) -> int:
    """Return the size, at least `rows`, that a matrix of `rows` rows is filled up to."""
    if rows <= _EXACT:
        return rows
    step = next((step for most, step in _STEPS if rows <= most), BLOCK)
    return multiple(rows, step)


def multiple(rows: int, step: int) -> int:
    """Return the smallest multiple of `step` that is at least `rows`."""
    return -(-rows // step) * step
