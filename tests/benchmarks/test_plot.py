"""The picture of the typing trace, which needs the extra `bench`."""

import sys
from pathlib import Path

import pytest

from opencoder_lsp.bench.workloads import Pressed
from opencoder_lsp.errors import OpencoderError
from tests.benchmarks import plot

PRESSED = [
    Pressed(number, target, number % 3 > 0, 0.01 * (number + 1), None if number % 2 else 0.2)
    for target in ("engine", "generate")
    for number in range(6)
]


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OpencoderError, match=r"pip install '\.\[bench\]'"):
        plot.pyplot()


def test_a_picture_is_written(tmp_path: Path) -> None:
    plot.draw(PRESSED, tmp_path / "typing.png")
    assert (tmp_path / "typing.png").read_bytes().startswith(b"\x89PNG")
