"""One thread for each core that nobody else uses."""

import pytest

from opencoder_lsp.engine import threads as threads_module
from opencoder_lsp.engine.threads import Threads, Usage, usage


class Cores:
    """Four cores, of which others and we use so much in the next second."""

    def __init__(self) -> None:
        self.now = Usage(-1e6, 0.0, 0.0)
        self.set: list[int] = []

    def second(self, others: float, ours: float) -> None:
        clock, everybody, ourselves = self.now
        self.now = Usage(clock + 1, everybody + others + ours, ourselves + ours)


@pytest.mark.parametrize(
    ("others", "ours", "count"),
    [
        (0, 0, 4),
        (0, 4, 4),
        (0.5, 3, 4),
        (0.7, 3, 3),
        (1, 3, 3),
        (2.1, 1, 2),
        (4, 0.1, 1),
        (9, 0, 1),
    ],
)
def test_cores_that_others_use_are_left_to_them(others: float, ours: float, count: int) -> None:
    cores = Cores()
    threads = Threads(4, cores.set.append, lambda: cores.now)
    cores.second(others, ours)
    threads.adapt()
    assert threads.count == count == cores.set[-1]


def test_all_cores_are_used_again_when_others_are_done() -> None:
    cores = Cores()
    threads = Threads(4, cores.set.append, lambda: cores.now)
    for others in (3, 3, 0, 0):
        cores.second(others, 1)
        threads.adapt()
    assert cores.set == [4, 1, 4]  # set only where it changes


def test_it_looks_no_more_often_than_the_system_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "_INTERVAL", 1000.0)
    looks = 0

    def read() -> Usage:
        nonlocal looks
        looks += 1
        return usage()

    threads = Threads(2, lambda _: None, read)
    for _ in range(100):
        threads.adapt()
    assert looks == 1


def test_the_usage_of_this_computer_only_grows() -> None:
    before, after = usage(), usage()
    assert after.clock >= before.clock
    assert after.everybody >= before.everybody
    assert after.ourselves >= before.ourselves > 0
