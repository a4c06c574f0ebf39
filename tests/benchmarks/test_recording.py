"""What passed by a tap, turned into requests to replay."""

from opencoder_lsp.bench.tap import Asked
from opencoder_lsp.bench.typist import Ask, Typing
from tests.benchmarks.recording import as_asks


def asked(*prompt: int, began: float, events: list[float], ended: float) -> Asked:
    return Asked(prompt, "", 0, began, events, ended)


def test_an_answer_was_read_if_a_piece_of_it_came_right_before_its_end() -> None:
    read = asked(1, 2, 3, began=10.0, events=[10.2, 10.3], ended=10.31)
    left = asked(1, 2, 3, 4, began=12.0, events=[12.1], ended=12.26)
    too_slow = asked(1, 9, began=12.5, events=[], ended=12.7)
    asks = as_asks([read, left, too_slow], presses=[9.9, 11.9, 12.25, 12.69])
    assert asks == [
        Ask(prompt=3, base=-1, kept=0, tokens=2, left=None, gap=1.69),
        Ask(prompt=4, base=0, kept=3, tokens=2, left=0.26, gap=0.5),
        Ask(prompt=2, base=0, kept=1, tokens=2, left=0.2, gap=1.2),
    ]
    Typing(asks)


def test_nobody_reads_an_answer_and_asks_anew_at_once() -> None:
    first = asked(1, began=1.0, events=[1.1, 1.9], ended=2.0)
    second = asked(2, began=2.04, events=[2.1, 2.2, 2.3, 2.4], ended=2.4)
    left, read = as_asks([first, second], presses=[])
    assert (left.left, left.gap, left.tokens) == (1.0, 1.04, 3)
    assert (read.left, read.gap, read.tokens) == (None, 1.0, 4)
