"""What is printed and written of a run."""

import io
import json
from pathlib import Path

from rich.console import Console

from opencoder_lsp.bench.engine import ENGINE, PLAIN
from opencoder_lsp.bench.rows import Rows
from opencoder_lsp.bench.workloads import Pressed
from tests.benchmarks import tables
from tests.benchmarks.peers import BATCHING, GENERATE, LLAMA, Missing

GONE = [Missing(LLAMA, "not on PATH; OPENCODER_BENCH_LLAMA_SERVER names it")]


def measured() -> Rows:
    """Return figures of some targets."""
    rows = Rows()
    rows.update("decode", {ENGINE: 40.0, PLAIN: 30.0, GENERATE: 20.0, BATCHING: 25.0})
    rows.update("typing_first", {ENGINE: 0.020, GENERATE: 0.8})
    rows.update("bandwidth", {ENGINE: 40e9, GENERATE: 40e9})
    return rows


def test_a_peer_has_beside_its_figure_how_many_times_better_we_are() -> None:
    rows = measured()
    # Decoding is compared as both do it: without lookup.
    assert tables.cell(rows, "decode", GENERATE) == "20.0 (1.50×)"
    assert tables.cell(rows, "typing_first", GENERATE) == "800.0 (40.00×)"
    assert tables.cell(rows, "bandwidth", GENERATE) == "40.0"
    assert tables.cell(rows, "decode", PLAIN) == "30.0"
    assert tables.cell(rows, "decode", LLAMA) == ""


def test_the_table_says_which_peer_is_missing_and_why_and_what_was_reached() -> None:
    output = io.StringIO()
    tables.show("demo, 2 threads", measured(), GONE, Console(file=output, width=160))
    text = output.getvalue()
    assert "demo, 2 threads" in text
    assert "(missing)" in text
    assert f"{LLAMA} is missing: not on PATH" in text
    assert "1.50 ×" in text
    assert "not measured" in text
    assert "(a stretch)" in text


def test_what_is_written_can_be_read_by_a_script(tmp_path: Path) -> None:
    pressed = [Pressed(1, ENGINE, True, 0.02, 0.3), Pressed(2, ENGINE, False, 0.03, None)]
    file = tmp_path / "figures.json"
    tables.save(file, {"threads": 2}, measured(), GONE, pressed)
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["threads"] == 2
    assert document["missing"] == {LLAMA: GONE[0].reason}
    rows = {row["row"]: row for row in document["rows"]}
    assert rows["typing_first"]["values"] == {ENGINE: 20.0, GENERATE: 800.0}
    assert rows["typing_first"]["unit"] == "ms"
    assert [key["total"] for key in document["typing"]] == [0.3, None]
    reached = {(g["goal"], g["stretch"]): g["answer"] for g in document["goals"]}
    assert reached["decode without lookup beside generate", False] == "yes"
    assert reached["decode without lookup beside generate", True] == "no"
