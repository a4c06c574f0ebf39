"""What a step costs: found from measured seconds, on a target or in a report."""

import asyncio
from typing import Any

import pytest

from opencoder_lsp.bench import costs
from opencoder_lsp.bench.costs import Costs
from opencoder_lsp.bench.target import Timing
from opencoder_lsp.errors import OpencoderError

TRUE = Costs(step=0.02, row=0.004, token=0.0005, request=0.01)


def nothing() -> None:
    """Do nothing at a tick."""


class CostlyTarget:
    """Takes no time, and says that it took what TRUE makes of the prompt and of its company."""

    name, reuses, concurrent = "costly", True, True

    def __init__(self) -> None:
        self._known = set[tuple[int, ...]]()
        self._together = 0

    async def ask(self, prompt: list[int], tokens: int, *, leave: bool = False) -> Timing:
        """Wait until everybody has asked who asks at this moment."""
        self._together += 1
        await asyncio.sleep(0)
        together = self._together
        await asyncio.sleep(0)
        self._together -= 1
        new = 1 if tuple(prompt) in self._known else len(prompt)
        self._known.add(tuple(prompt))
        first = TRUE.request + TRUE.seconds(1, new)
        return Timing(first, first + (tokens - 1) * TRUE.seconds(together, together), tokens)


async def test_measuring_finds_what_the_engine_costs() -> None:
    ticks = list[int]()
    rows = costs.decode_rows(6)
    found = await costs.measure(CostlyTarget(), 300, rows, lambda: ticks.append(1))
    assert rows == [1, 2, 4]
    assert len(ticks) == max(rows) + len(rows)
    for name in ("step", "row", "token", "request"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name))


def test_costs_are_never_negative() -> None:
    noisy = Costs.fit({1: 0.02, 8: 0.01}, (100, 0.01), 0.011)
    assert (noisy.row, noisy.token, noisy.request) == (0, 0, 0)
    assert noisy.step == pytest.approx(0.015)
    steep = Costs.fit({1: 0.01, 2: 0.05}, (100, 0.1), 0.01)
    assert steep.row == 0.01
    assert steep.step >= 0


def report() -> dict[str, Any]:
    """Return what `bench engine --json` would print of an engine that costs TRUE."""
    streams = 8 * 32 * TRUE.token + 64 * TRUE.seconds(8, 8)
    rows = {
        "decode": {"no lookup": 1 / TRUE.seconds(1, 1), "engine": 99.0},
        "prefill": {"engine": 1 / TRUE.token},
        "streams": {"no lookup": 8 * 64 / streams},
        "typing_first": {"engine": 1000 * (TRUE.request + TRUE.seconds(1, 1))},
    }
    return {"model": "big", "rows": [{"row": row, "values": rows[row]} for row in rows]}


def test_a_report_of_bench_engine_tells_the_same() -> None:
    name, found = costs.from_report(report())
    assert name == "big"
    for part in ("step", "row", "token", "request"):
        assert getattr(found, part) == pytest.approx(getattr(TRUE, part))


@pytest.mark.parametrize("data", [None, [], {"model": "x"}, {"model": "x", "rows": [{}]}])
def test_what_is_no_report_is_refused(data: Any) -> None:
    with pytest.raises(OpencoderError, match="bench engine --json"):
        costs.from_report(data)


def test_a_report_without_a_figure_is_refused() -> None:
    data = report()
    del data["rows"][2]
    with pytest.raises(OpencoderError, match="whole run"):
        costs.from_report(data)
