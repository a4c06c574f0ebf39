"""
The weight files of a model: which there are, and whether they are whole.

Safetensors headers are read here without torch; the format is eight bytes of length, that many
bytes of JSON (name → dtype, shape, data_offsets), then the data (huggingface/safetensors).
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models.tokenizer_files import read_json

SAFETENSORS = "model.safetensors"
SAFETENSORS_INDEX = "model.safetensors.index.json"
PICKLED = "pytorch_model.bin"
PICKLED_INDEX = "pytorch_model.bin.index.json"
BF16 = "BF16"
_FLOATS = {BF16: 2, "F16": 2, "F32": 4, "F64": 8}
_LARGEST_HEADER = 100_000_000
# Buffers (causal masks, rotary frequencies) that older transformers saved along with the weights.
_BUFFERS = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")


@dataclass(frozen=True)
class Checkpoint:
    """
    Weight files in `folder`, of one kind; `index` gives the file of each tensor where there are
    several files.
    """

    folder: Path
    files: tuple[Path, ...]
    pickled: bool
    index: Mapping[str, str] | None

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(path.stat().st_size for path in self.files)


@dataclass(frozen=True)
class Entry:
    """One tensor in a safetensors header; `dtype` is the format's name for it ("BF16")."""

    dtype: str
    shape: tuple[int, ...]


def find(folder: Path) -> Checkpoint:
    """
    Find the weights in `folder`, safetensors before .bin.

    Raises ModelError where there are none, or a shard that the index names is missing or is not
    what it should be.
    """
    for single, index_name, pickled in (
        (SAFETENSORS, SAFETENSORS_INDEX, False),
        (PICKLED, PICKLED_INDEX, True),
    ):
        if (folder / index_name).exists():
            index = read_index(folder / index_name)
            files = tuple(folder / name for name in sorted(set(index.values())))
        elif (folder / single).exists():
            index, files = None, (folder / single,)
        else:
            continue
        for path in files:
            check_is_binary(path)
        return Checkpoint(folder, files, pickled, index)
    raise ModelError(
        f"{folder} has no weights: none of {SAFETENSORS}, {SAFETENSORS_INDEX}, {PICKLED}, "
        f"{PICKLED_INDEX}"
    )


def read_index(path: Path) -> dict[str, str]:
    """Read the file of each tensor from an index; raises ModelError naming the file."""
    names = read_json(path).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ModelError(f"{path} is damaged: it has no weight_map")
    for name in names.values():
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".."):
            raise ModelError(f"{path} names a file outside of its folder: {name!r}")
    return names


def check_is_binary(path: Path) -> None:
    """Raise ModelError where `path` is missing, empty, a Git LFS pointer or a web page."""
    try:
        with path.open("rb") as file:
            start = file.read(256)
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; download it again") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if not start:
        raise ModelError(f"{path} is empty; download it again")
    if start.startswith(b"version https://git-lfs"):
        raise ModelError(f"{path} is a Git LFS pointer and not the file; run: git lfs pull")
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise ModelError(f"{path} is a web page and not the file; download it again")


def read_header(path: Path) -> dict[str, Entry]:
    """Return the tensors of a safetensors file; raises ModelError where it is not whole."""
    check_is_binary(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _LARGEST_HEADER + 1
        if length > min(_LARGEST_HEADER, size - 8):
            raise ModelError(f"{path} is truncated or no safetensors file; download it again")
        header = file.read(length)
    try:
        described: dict[str, Any] = json.loads(header)
        described.pop("__metadata__", None)
        entries = {n: Entry(d["dtype"], tuple(d["shape"])) for n, d in described.items()}
        end = max((int(d["data_offsets"][1]) for d in described.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelError(f"{path} is damaged: bad header; download it again") from None
    if size != 8 + length + end:
        raise ModelError(
            f"{path} is truncated: {size} bytes instead of {8 + length + end}; download it again"
        )
    return entries


def check_tensors(
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]], config: dict[str, Any], folder: Path
) -> None:
    """
    Compare the tensors of a whole checkpoint with what config.json asks for.

    `shapes` is file name → tensor name → shape. Raises ModelError naming tensor and file.
    """
    expected = model_config.tensors(config)
    found = dict[str, str]()
    for file, tensors in shapes.items():
        for name, shape in tensors.items():
            if ignored(name, config):
                continue
            if name not in expected:
                raise ModelError(f"{folder / file} has a tensor that the model has not: {name}")
            if name in found:
                raise ModelError(f"{folder / file} and {found[name]} both have the tensor {name}")
            if shape != expected[name]:
                raise ModelError(
                    f"{folder / file} has {name} of shape {list(shape)}, but config.json asks for "
                    f"{list(expected[name])}; the two belong to different models"
                )
            found[name] = file
    missing = sorted(expected.keys() - found.keys())
    if missing:
        raise ModelError(
            f"the weights in {folder} ({', '.join(sorted(shapes))}) lack {len(missing)} tensors, "
            f"such as {missing[0]}"
        )


def check_safetensors(checkpoint: Checkpoint, config: dict[str, Any]) -> bool:
    """
    Check headers, index and shapes of a safetensors checkpoint.

    Returns whether the files can be loaded as they are: all of it bf16, and nothing beside the
    weights. Raises ModelError naming the file.
    """
    headers = {path.name: read_header(path) for path in checkpoint.files}
    for name, file in (checkpoint.index or {}).items():
        if name not in headers[file]:
            raise ModelError(f"{checkpoint.folder / file} lacks {name}, which the index puts there")
    for file, header in headers.items():
        for name, entry in header.items():
            if entry.dtype not in _FLOATS and not ignored(name, config):
                raise ModelError(
                    f"{checkpoint.folder / file} has {name} as {entry.dtype}; quantized weights "
                    "are not supported"
                )
    check_tensors(
        {file: {n: e.shape for n, e in header.items()} for file, header in headers.items()},
        config,
        checkpoint.folder,
    )
    return all(
        entry.dtype == BF16 and not ignored(name, config)
        for header in headers.values()
        for name, entry in header.items()
    )


def ignored(name: str, config: dict[str, Any]) -> bool:
    """Whether a tensor is left out: a buffer, or an output layer that is the embedding."""
    return name.endswith(_BUFFERS) or (name == "lm_head.weight" and model_config.tied(config))
