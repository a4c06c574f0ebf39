"""Make a model folder for the engine out of a folder with published weights."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import checkpoint, config, conversion, tokenizer_files
from opencoder_lsp.models.manifest import ProgressCallback

# Tokens that end an answer in one or another family, in the order in which they are tried.
_ENDS = ("<|end_of_turn|>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "</s>")


def assemble(source: Path, target: Path, *, weights: bool, progress: ProgressCallback) -> None:
    """
    Write config.json, tokenizer.json and (where `weights`) bf16 safetensors into `target`.

    bf16 safetensors are hard-linked, or copied to another disk; the rest is converted. Raises
    ModelError naming the file that is missing, damaged or refused.
    """
    settings = config.read(source)
    progress("reading the tokenizer", 0, None)
    tokenizer_files.build(source, target / tokenizer_files.TOKENIZER)
    config.write(target, settings)
    if weights:
        found = checkpoint.find(source)
        if not found.pickled and checkpoint.check_safetensors(found, settings):
            _take(found, target, progress)
        else:
            require_space(target, found.size, "the converted weights")
            conversion.run("checkpoint", source, target, progress)
    check(target, weights=weights)


def check(folder: Path, *, weights: bool) -> dict[str, Any]:
    """
    Check that what is in a model folder fits together; returns its config.

    Raises ModelError naming the file. Reads only headers: hashes are the manifest's business.
    """
    settings = config.read(folder)
    needed = tokenizer_files.vocabulary_size(folder)
    if needed > (rows := config.vocabulary_size(settings)):
        raise ModelError(
            f"{folder / tokenizer_files.TOKENIZER} has {needed} tokens, but the model has only "
            f"{rows}; the two belong to different models"
        )
    if weights:
        found = checkpoint.find(folder)
        if found.pickled:
            raise ModelError(
                f"{folder} has only .bin weights, which the engine does not load; run: "
                f"opencoder-lsp models pull {folder}"
            )
        checkpoint.check_safetensors(found, settings)
    return settings


def guess_template(folder: Path, settings: dict[str, Any]) -> str:
    """
    Return the conversation template that the vocabulary of a model folder speaks of.

    Empty where it speaks of none: a base model, or one whose template is not known here.
    """

    def has(*names: str) -> bool:
        return len(tokenizer_files.control_ids(folder, names)) == len(names)

    if has("<|im_start|>", "<|im_end|>"):
        return "chatml"
    if not has("<|end_of_turn|>"):
        return ""
    if config.architecture(settings) == "gpt_bigcode":
        return "opencoder"
    return "openchat_8192" if config.context_length(settings) >= 8192 else "openchat"


def guess_stops(folder: Path, settings: dict[str, Any]) -> list[int]:
    """Return the ids of the tokens that end an answer, config.json's own among them."""
    own = settings.get("eos_token_id")
    ids = [*tokenizer_files.control_ids(folder, _ENDS), *(own if isinstance(own, list) else [own])]
    return list(dict.fromkeys(i for i in ids if isinstance(i, int) and i >= 0))


def require_space(folder: Path, need: int, what: str) -> None:
    """Raise ModelError with both numbers where the disk of `folder` has less than `need` bytes."""
    free = shutil.disk_usage(existing(folder)).free
    if free < need:
        raise ModelError(
            f"not enough disk space in {folder} for {what}: {_size(need)} needed, {_size(free)} "
            "free; make room, or set OPENCODER_HOME to a folder on a larger disk"
        )


def existing(folder: Path) -> Path:
    """Return the nearest parent that exists, `folder` itself where it does."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _take(found: checkpoint.Checkpoint, target: Path, progress: ProgressCallback) -> None:
    """Link or copy weights that need no conversion."""
    files = list(found.files)
    if found.index is not None:
        files.append(found.folder / checkpoint.SAFETENSORS_INDEX)
    done = 0
    total = sum(path.stat().st_size for path in files)
    for path in files:
        # A folder in the hub's cache holds links to files elsewhere: follow them.
        real = path.resolve()
        try:
            os.link(real, target / path.name)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                raise ModelError(f"cannot link {path}: {error.strerror}") from error
            require_space(target, real.stat().st_size, path.name)
            shutil.copyfile(real, target / path.name)
        done += path.stat().st_size
        progress("copying the weights", done, total)


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 100_000_000 else f"{number / 1e6:.1f} MB"
