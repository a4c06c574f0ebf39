"""
How fast this machine reads memory: the limit of decoding, which reads all weights for each token.

`python -m opencoder_lsp.bench.bandwidth DEVICE THREADS` writes bytes per second; it is a process
of its own so that whoever measures needs no torch.
"""

import sys
import time
from collections.abc import Callable

import torch

_BYTES = 1 << 30  # larger than any cache
_ROUNDS = 8


def main(device: str, threads: int) -> float:
    """Return bytes per second: read by a sum on a CPU, copied (read and written) on a GPU."""
    torch.set_num_threads(threads)
    values = torch.ones(_BYTES // 4, dtype=torch.float32, device=device)
    if device == "cpu":
        return _BYTES / _fastest(lambda: values.sum())
    target = torch.empty_like(values)

    def copy() -> None:
        target.copy_(values)
        torch.cuda.synchronize()

    return 2 * _BYTES / _fastest(copy)


def _fastest(act: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1], int(sys.argv[2]))}\n")
