"""Damaged, incomplete and foreign weights are found and named before anything loads them."""

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import checkpoint
from tests.models.checkpoints import BIGCODE, random_weights, write_model

FIRST = "model-00001-of-00002.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole bf16 checkpoint in two shards."""
    write_model(tmp_path)
    return tmp_path


def check(folder: Path) -> bool:
    """Find and check the safetensors in `folder`."""
    return checkpoint.check_safetensors(checkpoint.find(folder), dict(BIGCODE))


def test_whole_bf16_shards_can_be_loaded_as_they_are(folder: Path) -> None:
    assert check(folder) is True


def test_other_float_types_must_be_converted(tmp_path: Path) -> None:
    write_model(tmp_path, dtype=torch.float32)
    assert check(tmp_path) is False


def test_buffers_and_a_tied_output_layer_must_be_left_out(tmp_path: Path) -> None:
    weights = random_weights()
    weights["lm_head.weight"] = weights["transformer.wte.weight"].clone()
    weights["transformer.h.0.attn.bias"] = torch.ones(1, dtype=torch.bool)
    save_file(weights, tmp_path / "model.safetensors")
    assert check(tmp_path) is False


def test_safetensors_are_taken_before_bin(folder: Path) -> None:
    torch.save({}, folder / "pytorch_model.bin")
    assert checkpoint.find(folder).pickled is False


def test_a_folder_without_weights_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no weights: none of model\.safetensors"):
        checkpoint.find(tmp_path)


@pytest.mark.fault("F60")
def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / FIRST).unlink()
    with pytest.raises(ModelError, match=rf"{FIRST} is missing"):
        check(folder)


@pytest.mark.fault("F60")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "Git LFS pointer.*lfs pull",
        ),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n<html>", "web page"),
        (b"abc", "truncated or no safetensors"),
        (struct.pack("<Q", 1 << 60) + b"{}", "truncated or no safetensors"),
        (struct.pack("<Q", 2) + b"[]", "bad header"),
        (struct.pack("<Q", 2) + b"{]", "bad header"),
        (struct.pack("<Q", 9) + b'{"x": {}}', "bad header"),
    ],
)
def test_what_is_no_safetensors_file_is_named(folder: Path, content: bytes, message: str) -> None:
    (folder / FIRST).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{FIRST} .*{message}"):
        check(folder)


@pytest.mark.fault("F60")
def test_a_truncated_shard_is_named_with_both_sizes(folder: Path) -> None:
    size = (folder / FIRST).stat().st_size
    with (folder / FIRST).open("r+b") as file:
        file.truncate(size - 1)
    with pytest.raises(
        ModelError, match=rf"{FIRST} is truncated: {size - 1} bytes instead of {size}"
    ):
        check(folder)


@pytest.mark.fault("F60")
def test_a_tensor_of_the_wrong_shape_is_named_with_file_and_both_shapes(tmp_path: Path) -> None:
    weights = random_weights()
    weights["transformer.h.1.mlp.c_fc.bias"] = torch.zeros(31, dtype=torch.bfloat16)
    save_file(weights, tmp_path / "model.safetensors")
    expected = r"model\.safetensors has transformer\.h\.1\.mlp\.c_fc\.bias of shape \[31\].*\[32\]"
    with pytest.raises(ModelError, match=expected):
        check(tmp_path)


def test_a_tensor_that_is_nowhere_is_named(tmp_path: Path) -> None:
    weights = random_weights()
    del weights["transformer.ln_f.bias"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"lack 1 tensors, such as transformer\.ln_f\.bias"):
        check(tmp_path)


def test_a_tensor_that_the_model_has_not_is_named(tmp_path: Path) -> None:
    save_file(random_weights() | {"adapter": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"model\.safetensors has a tensor .* has not: adapter"):
        check(tmp_path)


def test_quantized_tensors_are_refused(tmp_path: Path) -> None:
    weights = random_weights()
    weights["transformer.ln_f.bias"] = torch.zeros(16, dtype=torch.int8)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"transformer\.ln_f\.bias as I8; quantized"):
        check(tmp_path)


@pytest.mark.fault("F60")
def test_an_index_that_does_not_agree_with_its_shards_is_found(folder: Path) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["transformer.ln_f.bias"] = FIRST
    path.write_text(json.dumps(index))
    with pytest.raises(ModelError, match=rf"{FIRST} lacks transformer\.ln_f\.bias"):
        check(folder)


@pytest.mark.fault("F60")
@pytest.mark.parametrize("content", ["", "{}", '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_a_damaged_index_is_named(folder: Path, content: str) -> None:
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ModelError, match=r"model\.safetensors\.index\.json is damaged"):
        check(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "..", 3])
def test_an_index_cannot_name_files_elsewhere(folder: Path, name: object) -> None:
    content = json.dumps({"weight_map": {"x": name}})
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ModelError, match="outside of its folder"):
        check(folder)
