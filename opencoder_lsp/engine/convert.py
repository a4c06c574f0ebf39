"""
Turn published weights into what the engine loads: bf16 safetensors, config.json, tokenizer.json.

Run by `models/conversion`, so that torch never enters a front, as
`python -m opencoder_lsp.engine.convert KIND SOURCE FOLDER` with one of the kinds

* `gguf`            a GGUF file: weights, config and tokenizer
* `gguf-tokenizer`  the same without the weights
* `checkpoint`      a folder with .bin or safetensors shards of any float type: the weights only

Standard output carries JSON lines: `{"stage", "done", "total"}` and, at the end of a failed run
(exit code 1), `{"error"}`.
"""

import json
import math
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import checkpoint, tokenizer_files
from opencoder_lsp.models import config as model_config

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

Report = Callable[[str, int, int | None], None]
# Name, shape, and how to read it.
Entry = tuple[str, tuple[int, ...], Callable[[], "torch.Tensor"]]

# `tokenizer.ggml.pre` names how text is split before BPE; the names and what they mean are those
# of llama.cpp's vocabulary loader. True: GPT-2's pattern with every digit on its own.
_PRE_TOKENIZERS = {
    "gpt-2": False,
    "smollm": True,
    "starcoder": True,
    "refact": True,
    "codeshell": True,
}
_GGUF_CONTROL, _GGUF_USER_DEFINED = 3, 4


def convert_gguf(source: Path, target: Path, report: Report) -> None:
    """Dequantize the GGUF file `source` into the existing folder `target`."""
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    convert_gguf_tokenizer(source, target, report)
    report("dequantizing the weights", 0, 2)
    model = AutoModelForCausalLM.from_pretrained(
        str(source.parent),
        gguf_file=source.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
        local_files_only=True,
        trust_remote_code=False,
    )
    report("dequantizing the weights", 1, 2)
    # save_pretrained would leave out nothing but the tied output layer, and so does this.
    shapes = model_config.tensors(model_config.read(target))
    weights = model.state_dict()
    _write_safetensors(
        target / checkpoint.SAFETENSORS,
        [(name, shape, partial(weights.__getitem__, name)) for name, shape in shapes.items()],
        lambda _: None,
    )
    report("dequantizing the weights", 2, 2)


def convert_gguf_tokenizer(source: Path, target: Path, report: Report) -> None:
    """Write config.json and tokenizer.json of the GGUF file `source` into `target`."""
    from transformers import AutoConfig

    report("reading the tokenizer", 0, None)
    gguf_tokenizer(source).save(str(target / tokenizer_files.TOKENIZER))
    described = AutoConfig.from_pretrained(
        str(source.parent), gguf_file=source.name, local_files_only=True, trust_remote_code=False
    ).to_dict()
    # transformers writes its own choices into the config; those that name code are not the file's.
    plain = {k: v for k, v in described.items() if "attn_implementation" not in k}
    model_config.write(target, plain | {"architectures": None})


def gguf_tokenizer(source: Path) -> "Tokenizer":
    """
    Rebuild the byte-level BPE tokenizer that the GGUF file `source` describes.

    transformers' own conversion forgets `tokenizer.ggml.pre`, and so that SmolLM2 takes digits one
    by one. Raises ModelError for another kind of tokenizer or pre-tokenizer.
    """
    from gguf import GGUFReader

    fields = GGUFReader(str(source)).fields

    def read(key: str) -> Any:
        field = fields.get(f"tokenizer.ggml.{key}")
        return None if field is None else field.contents()

    kind, pre = read("model"), read("pre")
    if kind != "gpt2" or pre not in _PRE_TOKENIZERS:
        raise ModelError(f"{source.name} has a tokenizer of kind {kind!r}/{pre!r}: not supported")
    tokens, types = read("tokens"), read("token_type")
    numbered = list(zip(tokens, types, range(len(tokens)), strict=True))
    return tokenizer_files.byte_level(
        {token: i for token, _, i in numbered},
        [(left, right) for left, _, right in (m.partition(" ") for m in read("merges"))],
        [(token, i) for token, kind, i in numbered if kind == _GGUF_CONTROL],
        [(token, i) for token, kind, i in numbered if kind == _GGUF_USER_DEFINED],
        digits=_PRE_TOKENIZERS[pre],
    )


def convert_checkpoint(source: Path, target: Path, report: Report) -> None:
    """
    Write the weights in the folder `source` as bf16 safetensors into `target`, shard by shard.

    Shards are mapped, so that memory holds one tensor at a time, and unpickled with
    `weights_only`. Raises ModelError naming the shard that is damaged or does not fit.
    """
    settings = model_config.read(source)
    found = checkpoint.find(source)
    shapes = {path.name: _shapes(path, found.pickled) for path in found.files}
    checkpoint.check_tensors(shapes, settings, source)
    single = len(found.files) == 1
    index, done, total = dict[str, str](), 0, found.size

    def advance(size: int) -> None:
        nonlocal done
        done += size
        report("converting the weights", min(done, total), total)

    for number, path in enumerate(found.files, 1):
        name = f"model-{number:05}-of-{len(found.files):05}.safetensors"
        name = checkpoint.SAFETENSORS if single else name
        with _tensors(path, found.pickled) as read:
            wanted = [t for t in shapes[path.name] if not checkpoint.ignored(t, settings)]
            entries = [(t, shapes[path.name][t], partial(read, t)) for t in wanted]
            _write_safetensors(target / name, entries, advance)
        index |= dict.fromkeys(wanted, name)
    report("converting the weights", total, total)
    if not single:
        content = {"metadata": {}, "weight_map": dict(sorted(index.items()))}
        text = json.dumps(content, indent=2) + "\n"
        (target / checkpoint.SAFETENSORS_INDEX).write_text(text, encoding="utf-8")


def _shapes(path: Path, pickled: bool) -> dict[str, tuple[int, ...]]:
    if not pickled:
        return {name: entry.shape for name, entry in checkpoint.read_header(path).items()}
    return {name: tuple(tensor.shape) for name, tensor in _unpickle(path).items()}


@contextmanager
def _tensors(path: Path, pickled: bool) -> Iterator[Callable[[str], "torch.Tensor"]]:
    """Give a function that reads one tensor of a shard by its name."""
    if pickled:
        yield _unpickle(path).__getitem__
        return
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        yield file.get_tensor


def _unpickle(path: Path) -> dict[str, "torch.Tensor"]:
    import torch

    try:
        state = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        # weights_only refused a global, or the stream is cut off: never load it any other way.
        raise ModelError(
            f"{path} is damaged, or holds more than weights: {_first_line(error)}"
        ) from error
    except Exception as error:  # cut or changed bytes can raise anything in the unpickler
        raise ModelError(f"{path} is damaged: {_first_line(error)}; download it again") from error
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise ModelError(f"{path} is no plain table of weights")
    return state


def _write_safetensors(
    path: Path, entries: Sequence[Entry], advance: Callable[[int], None]
) -> None:
    """
    Write tensors as bf16, one at a time; `advance` gets the size in bytes that each had.

    The library's own `save_file` would hold a copy of all of them.
    """
    import torch

    header, at = dict[str, Any](__metadata__={"format": "pt"}), 0
    for name, shape, _ in entries:
        end = at + 2 * math.prod(shape)
        header[name] = {"dtype": checkpoint.BF16, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, _, read in entries:
            tensor = read()
            if not tensor.is_floating_point():
                raise ModelError(f"{name} is of {tensor.dtype}; quantized weights do not work")
            narrow = tensor.to(torch.bfloat16).contiguous()
            if not torch.isfinite(narrow).all():
                raise ModelError(f"{name} has values that are not finite: the weights are damaged")
            file.write(narrow.view(torch.uint8).reshape(-1).numpy().data)
            advance(tensor.nbytes)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _report(stage: str, done: int, total: int | None) -> None:
    _send({"stage": stage, "done": done, "total": total})


def _send(message: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run one conversion; returns the exit code of the process."""
    kind, source, target = arguments
    convert = {
        "gguf": convert_gguf,
        "gguf-tokenizer": convert_gguf_tokenizer,
        "checkpoint": convert_checkpoint,
    }[kind]
    try:
        convert(Path(source), Path(target), _report)
    except ModelError as error:
        _send({"error": str(error)})
        return 1
    except (OSError, MemoryError) as error:
        _send({"error": f"{type(error).__name__}: {_first_line(error)}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
