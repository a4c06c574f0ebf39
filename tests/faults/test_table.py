"""The table of faults is whole: every id has a test, and no test names another."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.report import lines
from tests.faults.table import FAULTS, LEFT_OUT, OUTSIDE

pytestmark = pytest.mark.fault
TESTS = Path(__file__).parents[1]


def marked() -> Iterator[str]:
    """Every id in a mark of any test file, whatever part of the suite runs."""
    for file in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
                for id in node.args:
                    yield ast.literal_eval(id)


def test_every_fault_has_a_test() -> None:
    assert set(marked()) == set(FAULTS)


def test_no_number_is_left_out() -> None:
    faults = [f"F{number:02}" for number in range(1, 67)]
    pygls = [f"P{number}" for number in range(1, 26)]
    servers = [f"S{number}" for number in range(1, 21)]
    assert sorted([*FAULTS, *OUTSIDE]) == sorted([*faults, *pygls, *servers])
    assert set(LEFT_OUT) <= set(FAULTS)


def test_a_fault_with_one_failing_test_has_failed() -> None:
    table = list(
        lines(
            [
                ("passed", "tests/test_a.py::test_one[a]", ["F01", "F02"]),
                ("passed", "tests/test_a.py::test_one[b]", ["F01", "F02"]),
                ("failed", "tests/test_b.py::test_two", ["F02"]),
                ("skipped", "tests/test_b.py::test_three", ["F03"]),
            ]
        )
    )
    assert table[0] == f"F01 passed   {FAULTS['F01']}"
    assert table[1].strip() == "tests/test_a.py::test_one (2)"
    outcomes = {line.split()[0]: line[4:13].strip() for line in table if line[0] != " "}
    assert outcomes["F02"] == "failed"
    assert outcomes["F03"] == "skipped"
    assert outcomes["F04"] == "not run"
    assert outcomes["F61"] == "outside"
