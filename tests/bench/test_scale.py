"""`opencoder-lsp bench scale`: from a report, on an engine elsewhere, on an engine of its own."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.bench import scale
from opencoder_lsp.bench.costs import Costs
from opencoder_lsp.bench.scale import Wanted, planned, shape_of
from opencoder_lsp.bench.simulation import Simulation
from opencoder_lsp.bench.typist import Typing
from opencoder_lsp.client.engine import EngineClient
from opencoder_lsp.errors import EngineUnavailableError
from opencoder_lsp.settings import Settings
from tests.bench.test_costs import report
from tests.bench.test_engine import bench, processes_of
from tests.fakes import quick_engine

PNG = b"\x89PNG\r\n\x1a\n"
FAST = Costs(step=0.009, row=0.0001, token=0.00005, request=0.005)


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """A file as `bench engine --json` writes it."""
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(report()))
    return path


@pytest.fixture
def elsewhere(roomy_model: Path, tmp_path: Path) -> Iterator[str]:
    """The address of an engine whose model only pretends."""
    socket = tmp_path / "s"
    command = [sys.executable, quick_engine.__file__, "--pace", "0.004"]
    command += ["--model", str(roomy_model), "--socket", str(socket), "--set", "engine.slots=3"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_ready(f"unix:{socket}", process))
        yield f"unix:{socket}"
    finally:
        process.terminate()
        process.wait()


async def _ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    client = EngineClient(url)
    while process.poll() is None:
        with contextlib.suppress(EngineUnavailableError):
            if (await client.health()).state == "ready":
                break
        await asyncio.sleep(0.01)
    await client.close()


def test_a_report_of_another_machine_is_enough(figures: Path, tmp_path: Path) -> None:
    picture = tmp_path / "scale.png"
    done = bench("scale", "--figures", str(figures), "--limit", "900", "--plot", str(picture))
    assert "big: a step 20 ms, 4 ms more for each request in it" in done.stdout
    assert "typists at p95 ≤ 900 ms" in done.stdout
    assert "replayed" not in done.stdout
    assert picture.read_bytes().startswith(PNG)


def test_json_has_what_the_table_has(figures: Path) -> None:
    data = json.loads(bench("scale", "--figures", str(figures), "--slots", "4", "--json").stdout)
    assert (data["model"], data["limit_ms"], data["checked"]) == ("big", 500, [])
    assert data["engine"]["slots"] == 4
    assert data["chats"]["per_hour"] == 0
    assert data["engine"]["costs"]["row"] == pytest.approx(0.004)
    numbers = [load["typists"] for load in data["simulated"]]
    assert numbers == sorted(numbers)
    within = [load["typists"] for load in data["simulated"] if (load["p95_ms"] or 1e9) <= 500]
    assert max(within, default=0) == data["carried"]


def test_chats_are_a_part_of_the_load(figures: Path) -> None:
    done = bench("scale", "--figures", str(figures), "--chats-per-hour", "20")
    assert "each typist asks 20 questions an hour besides" in done.stdout
    (heads,) = [line for line in done.stdout.splitlines() if line.startswith("simulated")]
    assert heads.split()[-3:] == ["chats", "p95", "s"]


def test_an_engine_elsewhere_is_measured_and_typed_on(elsewhere: str) -> None:
    pairs = ["--set", f"engine.url={elsewhere}"]
    data: Any = json.loads(
        bench("scale", "--typists", "4,8", "--seconds", "2", "--json", *pairs).stdout
    )
    assert data["engine"]["slots"] == 3
    assert data["engine"]["costs"]["step"] + data["engine"]["costs"]["row"] > 0.001
    assert [pair["measured"]["typists"] for pair in data["checked"]] == [4, 8]
    for pair in data["checked"]:
        assert pair["measured"]["asked"] > 0
        assert pair["measured"]["seconds"] == pair["simulated"]["seconds"] == 2


@pytest.mark.timeout(300)
def test_without_one_it_starts_an_engine_and_leaves_none(roomy_model: Path) -> None:
    pairs = ["--set", "engine.device=cpu", "--set", "engine.threads=1", "--slots", "2"]
    done = bench("scale", "-m", str(roomy_model), "--typists", "1", "--seconds", "1", *pairs)
    assert "2 slots" in done.stdout
    assert "1 typist " in done.stdout
    assert not processes_of(roomy_model)


@pytest.mark.parametrize("typists", ["0", "1,,2"])
def test_numbers_of_typists_are_numbers(typists: str) -> None:
    assert "--typists" in bench("scale", "--typists", typists, code=2).stderr


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert "cannot read" in bench("scale", "--figures", str(path), code=1).stderr
    path.write_text("{")
    assert "bench engine --json" in bench("scale", "--figures", str(path), code=1).stderr


def test_the_plan_grows_until_the_engine_is_too_slow() -> None:
    shape = shape_of(FAST, 16, Settings())
    wanted = Wanted(simulated=60, limit=0.5)
    stages = list[str]()
    typing = Typing.recorded()
    plan = planned("m", shape, wanted, typing, lambda stage, done, total: stages.append(stage))
    assert plan.carried >= 4
    assert Simulation(typing, shape).run(plan.carried, 60).p95 <= 0.5
    assert Simulation(typing, shape).run(plan.carried + 1, 60).p95 > 0.5
    assert len(stages) == len(plan.loads)


def test_chunks_are_as_the_engine_would_make_them() -> None:
    assert shape_of(FAST, 8, Settings()).chunk == 2048
    assert shape_of(Costs(0.02, 0, 0.001, 0), 8, Settings()).chunk == 256
    assert shape_of(FAST, 8, Settings(), auto=813).chunk == 512
    assert scale.SLOTS == 8
