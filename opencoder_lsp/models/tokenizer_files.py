"""
Build tokenizer.json from the older forms in which tokenizers are published.

Three forms are read: vocab.json + merges.txt (byte-level BPE, as of StarCoder), the lists inside
a GGUF file (the caller reads them), and a SentencePiece `tokenizer.model` (LLaMA).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import sentencepiece_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER = "tokenizer.json"
# What may be needed to build TOKENIZER, in a model repository.
SOURCES = (
    TOKENIZER,
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
)
# The control tokens of the StarCoder family's own vocabulary (ids 0 to 18). The slow tokenizer of
# a repository may not say that they are special; as plain text they must never be produced.
_STARCODER_MARK = "<fim_prefix>"
_STARCODER_CONTROL = (
    "<|endoftext|>",
    _STARCODER_MARK,
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<empty_output>",
    "<commit_before>",
    "<commit_msg>",
    "<commit_after>",
    "<reponame>",
)


def build(folder: Path, target: Path) -> None:
    """
    Write `target` (a tokenizer.json) from what `folder` has.

    A tokenizer.json in `folder` is taken as it is, but for control tokens that it does not mark
    as special. Raises ModelError where there is nothing to build from, or it is damaged.
    """
    try:
        if (folder / TOKENIZER).exists():
            tokenizer = _from_file(folder)
        elif (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
            tokenizer = _from_vocabulary(folder)
        elif (folder / "tokenizer.model").exists():
            tokenizer, own = sentencepiece_file.read(folder / "tokenizer.model")
            _add(tokenizer, own.control, special=True)
            _add(tokenizer, own.user_defined, special=False)
            _add(tokenizer, _added(folder, tokenizer.get_vocab()), special=True)
        else:
            raise ModelError(
                f"{folder} has no tokenizer: neither {TOKENIZER}, nor vocab.json and merges.txt, "
                "nor tokenizer.model"
            )
        tokenizer.save(str(target))
    except ModelError:
        raise
    except Exception as error:  # tokenizers and protobuf raise plain Exception
        raise ModelError(
            f"the tokenizer files in {folder} are damaged: {_first_line(error)}"
        ) from error


def byte_level(
    vocabulary: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    special: Iterable[tuple[str, int]],
    plain_added: Iterable[tuple[str, int]] = (),
    *,
    digits: bool,
) -> "Tokenizer":
    """
    Make a GPT-2-style byte-level BPE tokenizer.

    `special` and `plain_added` are tokens with the ids that they must get; `digits` makes every
    digit a token of its own. Raises ModelError where an added token would get another id.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab=dict(vocabulary), merges=list(merges), fuse_unk=False))
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True)
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), split])
        if digits
        else split
    )
    tokenizer.decoder = decoders.ByteLevel()
    _add(tokenizer, special, special=True)
    _add(tokenizer, plain_added, special=False)
    return tokenizer


def control_ids(folder: Path, names: Iterable[str]) -> list[int]:
    """Return the ids of those `names` that the tokenizer in `folder` has as special tokens."""
    added = read_json(folder / TOKENIZER).get("added_tokens", [])
    ids = {t["content"]: t["id"] for t in added if t.get("special")}
    return [int(ids[name]) for name in names if name in ids]


def vocabulary_size(folder: Path) -> int:
    """Return the largest token id of the tokenizer in `folder`, plus one."""
    content = read_json(folder / TOKENIZER)
    vocabulary = content.get("model", {}).get("vocab", {})
    ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
    added = (int(token["id"]) for token in content.get("added_tokens", []))
    return max([-1, *(int(i) for i in ids), *added]) + 1


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises ModelError naming the file."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged: it is not JSON") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is damaged: it is not a JSON object")
    return content


def _from_file(folder: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    # Where a fast tokenizer was saved before `<|end_of_turn|>` was added, only this file has it.
    _add(tokenizer, _added(folder, tokenizer.get_vocab()), special=True)
    return tokenizer


def _from_vocabulary(folder: Path) -> "Tokenizer":
    vocabulary = {str(k): int(v) for k, v in read_json(folder / "vocab.json").items()}
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    merges = list[tuple[str, str]]()
    for line in lines[1:] if lines and lines[0].startswith("#version") else lines:
        left, space, right = line.partition(" ")
        if space:
            merges.append((left, right))
    starcoder = _STARCODER_MARK in vocabulary
    return byte_level(vocabulary, merges, _added(folder, vocabulary), digits=starcoder)


def _added(folder: Path, vocabulary: Mapping[str, int]) -> list[tuple[str, int]]:
    """The control tokens that the small JSON files name, with their ids, in the order of ids."""
    tokens = dict[str, int]()
    if (folder / "added_tokens.json").exists():
        tokens |= {k: int(v) for k, v in read_json(folder / "added_tokens.json").items()}
    if (folder / "tokenizer_config.json").exists():
        decoder = read_json(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
        tokens |= {t["content"]: int(i) for i, t in decoder.items() if t.get("special")}
    names = list[str]()
    if (folder / "special_tokens_map.json").exists():
        for value in read_json(folder / "special_tokens_map.json").values():
            for one in value if isinstance(value, list) else [value]:
                names.append(one["content"] if isinstance(one, dict) else str(one))
    if _STARCODER_MARK in vocabulary:
        names += _STARCODER_CONTROL
    tokens |= {name: vocabulary[name] for name in names if name in vocabulary}
    return sorted(tokens.items(), key=lambda token: token[1])


def _add(tokenizer: "Tokenizer", tokens: Iterable[tuple[str, int]], *, special: bool) -> None:
    from tokenizers import AddedToken

    add = tokenizer.add_special_tokens if special else tokenizer.add_tokens
    for name, expected in tokens:
        add([AddedToken(name, special=special, normalized=False)])
        if (given := tokenizer.token_to_id(name)) != expected:
            raise ModelError(
                f"the tokenizer's token {name} would get id {given} instead of {expected}"
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
