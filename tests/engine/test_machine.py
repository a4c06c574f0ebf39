"""What is read from the computer."""

import ctypes
from pathlib import Path

import pytest

from opencoder_lsp.engine import machine


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", None), ("50000 100000", 1), ("junk", None)]
)
def test_a_containers_quota_limits_the_cores(
    tmp_path: Path, quota: str, expected: int | None
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    unlimited = machine.cores(tmp_path / "none")
    assert machine.cores(file) == (expected or unlimited)
    assert unlimited >= 1


@pytest.mark.parametrize(
    ("line", "fast"),
    [
        ("flags\t\t: fpu avx2 avx512f", True),
        ("flags\t\t: fpu avx2", False),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("Features\t: fp asimd", False),
        ("", False),
    ],
)
def test_fast_bfloat16_is_read_from_the_cpus_flags(tmp_path: Path, line: str, fast: bool) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\n{line}\n")
    assert machine.has_fast_bf16(file) is fast


def test_an_unknown_cpu_is_not_taken_for_fast(tmp_path: Path) -> None:
    assert machine.has_fast_bf16(tmp_path / "none") is False


def test_memory_is_given_back_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.give_back_memory() is hasattr(ctypes.CDLL(None), "malloc_trim")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert machine.give_back_memory() is False
