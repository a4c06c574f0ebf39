"""
The figures of `opencoder-lsp bench engine` on a card; `pytest -m gpu -s` prints them.

OPENCODER_BENCH_MODEL names the folder of a pulled model, such as OpenCoderPlus; without it a tiny
one is measured, only to see that everything works.
"""

import os
from pathlib import Path

import pytest

from opencoder_lsp.bench.engine import PLAIN, SIZE, Measurement
from opencoder_lsp.bench.workloads import QUICK
from opencoder_lsp.cli.bench import show
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1800)]

NAMED = os.environ.get("OPENCODER_BENCH_MODEL")
NOISE = 64e6  # bytes that others on the card may take meanwhile


async def test_a_card_runs_every_workload_and_cancels_leave_its_memory_as_it_was(
    roomy_model: Path,
) -> None:
    model = registry.open_model(Path(NAMED) if NAMED else roomy_model)
    size = SIZE if NAMED else QUICK
    settings = Settings.load(cli=["engine.device=cuda"])
    report = await Measurement(settings, model, size, lambda _stage, _done, _total: None).run()
    show(report)
    rows = report.rows
    assert report.device.startswith("cuda")
    assert abs(rows.values["cancel_memory"][PLAIN]) < NOISE
    assert rows.values["cancel_steps"][PLAIN] >= 0
    assert rows.values["bandwidth"][PLAIN] > 0
