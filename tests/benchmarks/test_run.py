"""`python -m tests.benchmarks engine --quick` as a whole, on a tiny model."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from opencoder_lsp.bench.rows import KINDS
from opencoder_lsp.bench.typist import Ask, Typing
from tests.benchmarks import page
from tests.benchmarks.peers import BATCHING, GENERATE, LLAMA, VLLM

ROOT = Path(__file__).parents[2]


def benchmarks(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command without the peers of this machine."""
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PATH": "/nowhere"},
    )


@pytest.mark.timeout(600)
def test_the_benchmark_of_the_engine_fills_its_table(roomy_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    arguments = ["--quick", "--threads", "1", "--model", str(roomy_model), "--json", str(file)]
    done = benchmarks("engine", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{LLAMA} is missing: not on PATH" in done.stdout
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["missing"].keys() == {LLAMA, VLLM}
    rows = {row["row"]: row["values"] for row in document["rows"]}
    # A move comes late in the trace, and a tiny model may be done before it can be interrupted.
    may_lack = {"moved_first", "chat_chunks", "chat_ms", "chat_time"}
    assert rows.keys() >= KINDS.keys() - may_lack
    assert {GENERATE, BATCHING, "engine", "no lookup"} <= rows["decode"].keys()
    judged = {goal["goal"]: goal["answer"] for goal in document["goals"]}
    assert judged["decode without lookup beside generate"] in ("yes", "no")
    assert judged["decode without lookup beside vLLM"] == "not measured"


def test_an_unknown_benchmark_is_refused_with_those_that_there_are() -> None:
    done = benchmarks("engin")
    assert done.returncode == 1
    assert (
        "unknown: engin; known: front, api, page, lookup, int8, typing, chat, engine" in done.stderr
    )


def test_another_model_is_for_some_benchmarks_only(roomy_model: Path) -> None:
    assert (
        "for `engine`, `typing`, `chat` and `int8`"
        in benchmarks("--model", str(roomy_model)).stderr
    )


def test_a_plot_without_matplotlib_is_refused_before_anything_is_measured(
    roomy_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "engine", "--model", str(roomy_model)]
        + ["--plot", str(tmp_path / "x.png")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH')}"},
    )
    assert done.returncode == 1
    assert "pip install '.[bench]'" in done.stderr


@pytest.mark.timeout(300)
def test_the_benchmark_of_typing_fills_its_table(roomy_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "typing.json"
    arguments = ["--quick", "--threads", "1", "--model", str(roomy_model)]
    done = benchmarks("typing", *arguments, "--typing-json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answered without the engine or from a running stream" in done.stdout
    document = json.loads(file.read_text(encoding="utf-8"))
    assert all(row["value"] is not None for row in document["rows"])
    assert {goal["answer"] for goal in document["goals"]} <= {"yes", "no"}
    assert len(document["measured"]["keys"]) == 12
    assert sum(document["measured"]["tally"].values()) == 12


@pytest.mark.timeout(300)
def test_what_a_typist_asks_is_recorded_as_bench_scale_reads_it(
    roomy_model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "requests.json"
    arguments = ["--quick", "--threads", "1", "--model", str(roomy_model)]
    done = benchmarks("requests", *arguments, "--requests-json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    asks = [Ask(*row) for row in json.loads(file.read_text(encoding="utf-8"))["requests"]]
    assert f"{len(asks)} requests" in done.stdout
    assert len(Typing(asks).asks) > 1


@pytest.mark.timeout(300)
def test_the_benchmark_of_answers_says_how_soon_they_begin(roomy_model: Path) -> None:
    done = benchmarks("chat", "--quick", "--threads", "1", "--model", str(roomy_model))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its engine alone" in done.stdout
    assert "beside the engine: " in done.stdout


@pytest.mark.timeout(300)
def test_the_benchmark_of_int8_weights_fills_its_table(roomy_model: Path) -> None:
    done = benchmarks("int8", "--quick", "--threads", "1", "--model", str(roomy_model))
    assert done.returncode == 0, done.stdout + done.stderr
    read, _, prefill, decode, exact = (line.split()[-3:] for line in done.stdout.splitlines()[2:7])
    assert float(read[2]) < 1  # the ratio
    assert all(float(figure) > 0 for figure in (*prefill, *decode))
    assert exact == ["0.0", "0.0", "-"]  # its weights are random
    assert "both write the same line: " in done.stdout


def test_the_benchmark_of_the_page_says_when_something_is_to_be_seen() -> None:
    pytest.importorskip("playwright", reason="needs playwright")
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("needs chromium")
    loads = asyncio.run(page.measured(chromium))
    assert len(loads) == 5
    assert all(load["paint"] > 0 and 10_000 < load["bytes"] < 400_000 for load in loads)
