"""What is said of typing."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks.stroke_tables import Figures, Key, goals, percentile, save, show


def measured() -> Figures:
    return Figures(
        tally={"known": 6, "joined": 1, "opened": 3, "outdated": 40},
        answers=[0.1, 0.2, 0.3],
        naive=[1.0, 2.0],
        keys=[Key(True, 800, 700), Key(False, 800, 3), Key(False, 0, 0), Key(False, 820, 5)],
        keys_ahead=[Key(False, 1600, 30)],
        typed_tokens=4,
        work={1024: [0.004, 0.005, 0.012]},
    )


def answers(figures: Figures) -> dict[str, tuple[float | None, str]]:
    return {goal.title: (goal.reached, goal.answer) for goal in goals(figures)}


def test_goals_are_judged_by_what_was_measured() -> None:
    found = answers(measured())
    expected: dict[str, tuple[object, str]] = {
        "answered without the engine or from a running stream": (pytest.approx(70, abs=0.5), "yes"),
        "prompt tokens computed for a token typed, jumps aside": (2.0, "yes"),
        "prompts computed anew without a jump": (0, "yes"),
        "the server's own work, 95th percentile, prompts of 1024 tokens": (
            pytest.approx(12, abs=0.5),
            "no",
        ),
    }
    assert {title: found[title] for title in expected} == expected


def test_a_prompt_computed_anew_without_a_jump_is_found() -> None:
    figures = measured()
    figures.keys.append(Key(False, 800, 600))
    assert answers(figures)["prompts computed anew without a jump"] == (1, "no")


def test_without_figures_nothing_is_reached_nor_missed() -> None:
    assert {answer for _, answer in answers(Figures()).values()} == {"not measured"}


def test_the_table_and_the_file_have_every_figure(tmp_path: Path) -> None:
    output = io.StringIO()
    show("demo", measured(), Console(file=output, width=120))
    text = output.getvalue()
    for part in ("requests known", "200.00", "… asked naively", "10.00", "70.00 %", "yes", "no"):
        assert part in text
    save(tmp_path / "x.json", "demo", measured())
    document = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert document["measured"]["keys"][0] == {"jumped": True, "prompt": 800, "computed": 700}
    assert {row["row"] for row in document["rows"]} >= {"requests known", "tokens typed per key"}


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([1, 2, 3], 0.95) == 3
