"""Answers that are kept, and the figures that are made of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.bench.holes import Hole
from opencoder_lsp.bench.quality_figures import Difference, differences, figures
from opencoder_lsp.bench.results import Result, Results
from opencoder_lsp.errors import OpencoderError

RUN = {"seed": 7, "code": [{"name": "work"}]}


def hole(number: int, *, inside: bool = False, elsewhere: bool = False) -> Hole:
    return Hole("work", "a.py", number, 4, inside, elsewhere, "x = ", "1", "", "\n")


def result(mode: str, at: Hole, *, exact: bool = False, **other: Any) -> Result:
    fields: dict[str, Any] = {
        "text": "1",
        "shown": True,
        "exact": exact,
        "similarity": float(exact),
        "parses": True,
        "unbroken": True,
        "repeats": False,
        "seconds": 0.1,
        **other,
    }
    return Result(mode=mode, hole=at.id, **fields)


HOLES = [hole(n, inside=n % 2 == 0, elsewhere=n > 7) for n in range(10)]


def test_a_run_that_was_cut_off_finds_its_answers_again(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    first = Results(file, RUN)
    first.add(result("prefix", HOLES[0], exact=True, likelihood=-1.5, text="größe"))
    first.save()
    again = Results(file, RUN)
    assert list(again) == list(first)
    assert again.has("prefix", HOLES[0].id)
    assert not again.has("prefix", HOLES[1].id)
    assert not again.has("template", HOLES[0].id)
    assert json.loads(file.read_text(encoding="utf-8"))["run"] == RUN


def test_the_file_of_another_run_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    Results(file, RUN).save()
    before = file.read_bytes()
    with pytest.raises(OpencoderError, match="holds another run"):
        Results(file, {**RUN, "seed": 8})
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"run": {}, "results": [{"mode": 1}]}'])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(OpencoderError, match="holds no results"):
        Results(file, RUN)
    assert file.read_text(encoding="utf-8") == content


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    results = Results(tmp_path / "missing" / "run.json", RUN)
    with pytest.raises(OpencoderError, match=r"cannot write .*run\.json"):
        results.save()


def test_figures_are_shares_of_all_holes_or_of_what_was_shown() -> None:
    nothing: dict[str, Any] = {
        "shown": False,
        "parses": None,
        "unbroken": None,
        "text": "",
        "seconds": 0.4,
    }
    answers = [
        result("prefix", HOLES[0], exact=True, computed=10.0, generated=2.0, likelihood=-1.0),
        result("prefix", HOLES[1], parses=False, repeats=True, computed=30.0, generated=4.0),
        result("prefix", HOLES[2], parses=False, unbroken=False, likelihood=-3.0),
        result("prefix", HOLES[3], **nothing),
    ]
    own = figures(answers, HOLES)["prefix"]
    assert (own.holes, own.shown, own.exact, own.repeats) == (4, 0.75, 0.25, 1)
    assert (own.exact_inside, own.exact_in_front) == (0.5, 0.0)
    assert own.parses == pytest.approx(1 / 3)
    assert own.unbroken == pytest.approx(2 / 3)
    assert (own.computed, own.generated, own.likelihood) == (20.0, 3.0, -2.0)
    assert (own.p50, own.p95) == (0.1, 0.4)


def find(compared: list[Difference], mode: str, value: str, where: str, base: str) -> Difference:
    (found,) = (
        one
        for one in compared
        if (one.mode, one.value, one.where, one.base) == (mode, value, where, base)
    )
    return found


def test_modes_are_compared_on_the_holes_that_both_have() -> None:
    answers = [result("prefix", at) for at in HOLES]
    answers += [result("template", at, exact=True) for at in HOLES[:4]]
    interval = find(differences(answers, HOLES, 7), "template", "exact", "all", "prefix").interval
    assert (interval.count, interval.mean) == (4, 1.0)


def test_likelihoods_are_compared_only_where_prompts_end_alike() -> None:
    answers = [result("prefix", at, likelihood=-1.0) for at in HOLES]
    answers += [result("prefix+healing", at, likelihood=-3.0) for at in HOLES]
    answers += [result("template+healing", at, likelihood=-2.0) for at in HOLES]
    compared = differences(answers, HOLES, 7)
    own = find(compared, "template+healing", "likelihood", "all", "prefix+healing")
    assert own.interval.mean == 1.0
    assert not any(
        one.value == "likelihood" and one.base == "prefix" and "healing" in one.mode
        for one in compared
    )


def test_what_context_adds_is_given_apart_where_the_answer_is_in_another_file() -> None:
    answers = [result("template", at, likelihood=-4.0) for at in HOLES]
    answers += [
        result("template+context", at, likelihood=-3.0 if at.elsewhere else -4.0) for at in HOLES
    ]
    compared = differences(answers, HOLES, 7)
    apart = find(compared, "template+context", "likelihood", "elsewhere", "template").interval
    assert (apart.mean, apart.low, apart.count) == (1.0, 1.0, 2)
    everywhere = find(compared, "template+context", "likelihood", "all", "template").interval
    assert everywhere.mean == pytest.approx(0.2)


def test_an_engine_that_names_no_probabilities_gives_no_such_difference() -> None:
    answers = [result(mode, at) for at in HOLES for mode in ("prefix", "template")]
    assert {one.value for one in differences(answers, HOLES, 7)} == {"exact", "similarity"}
