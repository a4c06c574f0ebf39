"""Conversion of weights: exact, shard by shard, and never by running what it reads."""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from opencoder_lsp.engine import convert
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import checkpoint, conversion
from tests.models.checkpoints import BIGCODE, random_weights, write_config, write_shards


def ignore(stage: str, done: int, total: int | None) -> None:
    """A progress callback that does nothing."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a config, for weights to be put in."""
    write_config(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder for the result."""
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def run(source: Path, target: Path) -> dict[str, torch.Tensor]:
    """Convert a checkpoint in this process and return all of its tensors."""
    convert.convert_checkpoint(source, target, ignore)
    found = dict[str, torch.Tensor]()
    for path in target.glob("*.safetensors"):
        found |= load_file(path)
    return found


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("pickled", [False, True])
def test_every_float_type_becomes_bf16_rounded_once(
    source: Path, target: Path, dtype: torch.dtype, pickled: bool
) -> None:
    weights = random_weights(dtype=dtype)
    write_shards(source, weights, pickled=pickled)
    converted = run(source, target)
    assert converted.keys() == weights.keys()
    for name, tensor in weights.items():
        assert torch.equal(converted[name], tensor.to(torch.bfloat16)), name


def test_the_result_has_an_index_that_agrees_with_its_shards(source: Path, target: Path) -> None:
    write_shards(source, random_weights(), pickled=True)
    run(source, target)
    (target / "config.json").write_bytes((source / "config.json").read_bytes())
    found = checkpoint.find(target)
    assert len(found.files) == 2
    assert checkpoint.check_safetensors(found, dict(BIGCODE)) is True


@pytest.mark.parametrize("zipped", [True, False])
def test_a_single_bin_file_of_the_new_and_the_old_format_is_read(
    source: Path, target: Path, zipped: bool
) -> None:
    weights = random_weights()
    torch.save(weights, source / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    assert run(source, target).keys() == weights.keys()
    assert [p.name for p in target.iterdir()] == ["model.safetensors"]


def test_views_and_shared_storage_are_written_in_full(source: Path, target: Path) -> None:
    weights = random_weights()
    wide = torch.randn(64, 16).bfloat16()
    weights["transformer.wpe.weight"] = wide.t().contiguous().t()
    weights["lm_head.weight"] = weights["transformer.wte.weight"]
    torch.save(weights, source / "pytorch_model.bin")
    converted = run(source, target)
    assert torch.equal(converted["transformer.wpe.weight"], wide)
    assert "lm_head.weight" not in converted


def test_an_output_layer_that_is_not_tied_is_kept(tmp_path: Path, target: Path) -> None:
    config = BIGCODE | {"tie_word_embeddings": False}
    write_config(tmp_path / "untied", config)
    weights = random_weights(config)
    torch.save(weights, tmp_path / "untied" / "pytorch_model.bin")
    assert torch.equal(
        run(tmp_path / "untied", target)["lm_head.weight"], weights["lm_head.weight"]
    )


def test_progress_ends_at_the_total(source: Path, target: Path) -> None:
    write_shards(source, random_weights(), pickled=True)
    calls = list[tuple[str, int, int | None]]()
    convert.convert_checkpoint(source, target, lambda *call: calls.append(call))
    total = sum(path.stat().st_size for path in source.glob("*.bin"))
    assert calls[-1] == ("converting the weights", total, total)
    assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)


class Evil:
    """Unpickling this makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        """What the unpickler would call."""
        return os.mkdir, (str(self.canary),)


@pytest.mark.fault("S10")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_bin_file_that_would_run_code_is_refused_and_runs_nothing(
    source: Path, target: Path, tmp_path: Path, zipped: bool
) -> None:
    canary = tmp_path / "canary"
    path = source / "pytorch_model.bin"
    torch.save({"x": Evil(canary)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin .*more than weights"):
        run(source, target)
    path.write_bytes(pickle.dumps(Evil(canary), protocol=2))
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        run(source, target)
    assert not canary.exists()


@pytest.mark.parametrize("length", [1, 100, 5000, -1])
def test_a_truncated_bin_file_is_named(source: Path, target: Path, length: int) -> None:
    path = source / "pytorch_model.bin"
    torch.save(random_weights(), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is damaged"):
        run(source, target)


def test_a_bin_file_of_something_else_is_refused(source: Path, target: Path) -> None:
    torch.save({"epoch": 3}, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is no plain table of weights"):
        run(source, target)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(source: Path, target: Path, value: float) -> None:
    weights = random_weights()
    weights["transformer.ln_f.bias"][3] = value
    torch.save(weights, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"transformer\.ln_f\.bias has values .* not finite"):
        run(source, target)


def test_integer_weights_are_refused(source: Path, target: Path) -> None:
    weights = random_weights()
    weights["transformer.ln_f.bias"] = torch.zeros(16, dtype=torch.int8)
    torch.save(weights, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"transformer\.ln_f\.bias is of torch\.int8"):
        run(source, target)


def test_the_process_reports_progress_and_gives_the_same_files(
    source: Path, target: Path, tmp_path: Path
) -> None:
    write_shards(source, random_weights(), pickled=True)
    stages = list[str]()
    conversion.run("checkpoint", source, target, lambda stage, done, total: stages.append(stage))
    (tmp_path / "here").mkdir()
    convert.convert_checkpoint(source, tmp_path / "here", ignore)
    assert set(stages) == {"converting the weights"}
    for path in (tmp_path / "here").iterdir():
        assert (target / path.name).read_bytes() == path.read_bytes()


def test_the_process_passes_its_error_on(source: Path, target: Path) -> None:
    save_file({"x": torch.zeros(1)}, source / "model.safetensors")
    with pytest.raises(ModelError, match=r"conversion of source failed: .* has not: x"):
        conversion.run("checkpoint", source, target, ignore)


def test_a_process_that_dies_is_explained(
    source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(script))
    for body, message in (
        ("kill -9 $$", "not enough memory"),
        ("kill -15 $$", "ended by signal 15"),
        ("echo 'ImportError: no torch' >&2; exit 1", r"ImportError: no torch \(exit code 1\)"),
        ("exit 3", r"no reason given \(exit code 3\)"),
    ):
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        with pytest.raises(ModelError, match=message):
            conversion.run("checkpoint", source, target, ignore)
