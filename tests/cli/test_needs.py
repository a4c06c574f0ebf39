"""`models list` and `doctor` say what a model takes and where it fits, before it is loaded."""

import json

import pytest

from opencoder_lsp import paths
from opencoder_lsp.cli import doctor
from opencoder_lsp.cli.models import list_models
from opencoder_lsp.models.fitting import Fit, Machine, fits
from opencoder_lsp.models.known import KNOWN, OPENCODERPLUS
from opencoder_lsp.settings import Settings
from tests.fakes.model_folder import make_tokenizer_folder

GB = 10**9


def settings(*pairs: str) -> Settings:
    return Settings.load(cli=pairs)


def give(monkeypatch: pytest.MonkeyPatch, gpus: list[int], memory: int) -> None:
    """Let this machine have so many bytes."""
    monkeypatch.setattr(Machine, "here", lambda: Machine(gpus, memory))


def fit(gpus: list[int], memory: int, *pairs: str) -> Fit:
    """Return how OpenCoderPlus fits with the settings' weights."""
    engine = settings(*pairs).engine
    both = fits(OPENCODERPLUS.shape, engine, Machine(gpus, memory))
    return next(one for one in both if one.quantization == engine.quantization)


def test_the_arithmetic_of_opencoderplus_is_shown() -> None:
    assert fit([80 * GB], 64 * GB).sum == (
        "31.03 GB of weights + 0.17 GB for 8192 tokens of 20.5 kB + 0.82 GB to work in = 32.0 GB"
    )
    assert fit([], 64 * GB, "engine.quantization=int8").sum == (
        "15.88 GB of weights + 0.17 GB for 8192 tokens of 20.5 kB + 1.00 GB to work in = 17.0 GB"
    )


@pytest.mark.parametrize(
    ("gpus", "memory", "pairs", "outcome"),
    [
        ([80], 64, [], "runs on GPU 0, 8 requests at once"),
        ([24, 24], 64, [], "runs on GPUs 0 and 1, 8 requests at once"),
        ([24], 8, [], "does not fit here"),
        ([24], 16, ["engine.quantization=int8"], "runs on GPU 0, 8 requests at once"),
        ([17], 16, ["engine.quantization=int8"], "runs on GPU 0, 2 requests at once"),
        ([24], 64, [], "runs on GPU 0, slowly: 11 of 40 layers wait in main memory, 3 requests"),
        ([], 64, [], "runs on the CPU, 8 requests at once"),
        ([80], 64, ["engine.device=cpu", "engine.slots=3"], "runs on the CPU, 3 requests at once"),
        ([], 64, ["engine.device=cuda"], "does not fit here"),
        ([], 24, [], "does not fit here"),
        ([80], 64, ["engine.dtype=float32"], "runs on GPU 0, 8 requests at once"),
        ([40], 0, ["engine.dtype=float32"], "does not fit here"),
    ],
)
def test_it_is_said_where_a_model_would_run(
    gpus: list[int], memory: int, pairs: list[str], outcome: str
) -> None:
    found = fit([size * GB for size in gpus], memory * GB, *pairs).outcome
    assert found.startswith(outcome)


def test_models_list_has_the_needs_of_every_known_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, [24 * GB], 4 * GB)
    list_models(settings(), as_json=True)
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows.keys() == KNOWN.keys()
    for row in rows.values():
        plain, small = row["needs"]
        assert (plain["quantization"], small["quantization"]) == ("none", "int8")
        for need in (plain, small):
            assert need["total"] == need["weights"] + need["slot"] + need["work"]
            assert need["slot"] == need["per_1000_tokens"] * need["context"] // 1000
        assert plain["weights"] == row["size"]
    plain, small = rows["opencoderplus"]["needs"]
    assert (plain["where"], small["where"]) == ("", "on GPU 0")


def test_models_list_prints_the_sums_and_the_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, [24 * GB], 4 * GB)
    monkeypatch.setattr("opencoder_lsp.cli.models.console.width", 200)
    list_models(settings(), as_json=False)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    row = "int8 15.88 GB 20.5 MB 0.17 GB 0.82 GB 16.9 GB runs on GPU 0, 8 requests at once"
    plain = "opencoderplus bf16 31.03 GB 20.5 MB 0.17 GB 0.82 GB 32.0 GB does not fit here"
    assert lines[lines.index(plain) + 1] == row
    assert lines[-1] == "This machine: GPU 0 with 24.0 GB, 4.0 GB of main memory."


@pytest.mark.parametrize(
    ("gpus", "pairs", "state", "cure"),
    [
        ([80 * GB], [], "ok", ""),
        ([24 * GB], [], "note", "set engine.quantization to int8: 15.88 GB of weights + 0.17 GB"),
        ([24 * GB], ["engine.quantization=int8"], "ok", ""),
        ([8 * GB], [], "note", "this machine has GPU 0 with 8.0 GB, 4.0 GB of main memory"),
    ],
)
def test_doctor_says_what_a_pulled_model_needs_and_what_would_make_it_fit(
    monkeypatch: pytest.MonkeyPatch,
    gpus: list[int],
    pairs: list[str],
    state: str,
    cure: str,
) -> None:
    give(monkeypatch, gpus, 4 * GB)
    folder = make_tokenizer_folder(paths.models() / "big", name="big")
    (folder / "config.json").write_text(json.dumps(OPENCODERPLUS.shape))
    (finding,) = doctor._needs(settings(*pairs))
    assert (finding.what, finding.state) == ("memory for big", state)
    assert " GB of weights + 0.17 GB for 8192 tokens of 20.5 kB + 0.82 GB" in finding.detail
    assert finding.cure.startswith(cure)
    assert list(doctor._needs(settings("engine.url=http://gpu:1"))) == []
