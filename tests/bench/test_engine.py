"""`opencoder-lsp bench engine` with real engine processes, on a tiny model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from opencoder_lsp.bench import steps
from opencoder_lsp.bench.process import FreshEngine
from opencoder_lsp.bench.workloads import QUICK
from opencoder_lsp.errors import EngineError
from opencoder_lsp.models import registry
from opencoder_lsp.settings import Settings

CPU = {"engine.device": "cpu", "engine.threads": 1}


def bench(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    done = subprocess.run(
        [sys.executable, "-m", "opencoder_lsp", "bench", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def processes_of(model: Path) -> list[int]:
    """Return the processes that have the model in their command line."""
    living = psutil.process_iter(["pid", "cmdline"])
    return [one.pid for one in living if str(model) in (one.info["cmdline"] or ())]


@pytest.mark.timeout(400)
def test_the_command_measures_a_model_and_leaves_no_engine(roomy_model: Path) -> None:
    pairs = ["--set", "engine.device=cpu", "--set", "engine.threads=1"]
    done = bench("engine", "--model", str(roomy_model), "--quick", "--json", *pairs)
    report = json.loads(done.stdout)
    assert (report["model"], report["device"], report["threads"]) == ("tiny", "cpu", 1)
    rows = {row["row"]: row["values"] for row in report["rows"]}
    assert {"prefill", "typing_first", "share", "streams", "memory"} <= rows.keys()
    assert rows["decode"].keys() == {"engine", "no lookup"}
    assert rows["cancel_cached"]["no lookup"] == 100
    assert all(value > 0 for value in (*rows["decode"].values(), *rows["bandwidth"].values()))
    assert not processes_of(roomy_model)


def test_an_engine_elsewhere_is_not_measured(roomy_model: Path) -> None:
    arguments = ["-m", str(roomy_model), "--set", "engine.url=http://127.0.0.1:9"]
    assert "unset engine.url" in bench("engine", *arguments, code=2).stderr


def test_without_a_model_the_command_says_how_to_get_one() -> None:
    assert "models pull demo" in bench("engine", code=1).stderr


async def test_an_engine_that_cannot_load_says_why_and_is_gone(roomy_model: Path) -> None:
    model = registry.open_model(roomy_model)
    engine = FreshEngine("engine", Settings(), model, {**CPU, "engine.context": 900_000})
    with pytest.raises(EngineError, match="at most 8192"):
        async with engine:
            pass


async def test_workloads_that_count_steps_find_an_engine_that_obeys(roomy_model: Path) -> None:
    model = registry.open_model(roomy_model)
    changes = {**CPU, "engine.lookup": False, "engine.context": 2048}
    ticks = list[int]()
    async with FreshEngine("engine", Settings(), model, changes) as engine:
        seen = await steps.cancel(engine, QUICK, lambda: ticks.append(1))
        assert len(seen.steps) == len(seen.milliseconds) == len(ticks) == QUICK.cancels
        assert seen.cached == seen.prompt - 1
        assert (await engine.counters())["steps_total"] > 3 * QUICK.cancels
        before, after = await steps.resident_growth(engine, QUICK, lambda: ticks.append(1))
        assert len(ticks) == QUICK.cancels + QUICK.requests
        assert min(before, after) > 0
        for one in await steps.interrupt(engine, QUICK, lambda: None):
            assert one.chunks >= 0
            assert min(one.seconds, one.chunk_seconds) > 0
        assert not (await engine.counters())["running"]
        assert processes_of(roomy_model)
    assert not processes_of(roomy_model)
