"""The process that an engine is started as."""

import sys
from pathlib import Path

import pytest

from opencoder_lsp.client.child import Child

SAY = "import os; print(os.environ['GLIBC_TUNABLES'])"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (None, "glibc.malloc.hugetlb=1"),
        ("glibc.malloc.check=0", "glibc.malloc.check=0:glibc.malloc.hugetlb=1"),
        ("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
    ],
)
async def test_an_engine_has_its_memory_in_huge_pages_unless_the_user_says_otherwise(
    own: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if own is not None:
        monkeypatch.setenv("GLIBC_TUNABLES", own)
    child = Child([sys.executable, "-c", SAY], tmp_path / "logs" / "engine.log")
    assert await child.exited == 0
    assert child.last_words() == expected
