"""
Read a SentencePiece BPE model (`tokenizer.model` of LLaMA) into a `tokenizers` tokenizer.

The file is a protobuf message, `sentencepiece_model.proto` of google/sentencepiece; the few
fields that matter are read here, since the sentencepiece package does not give all of them.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencoder_lsp.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6
_MODEL_TYPE_BPE = 2
# After the conversion both must give the same ids for these.
_SAMPLES = ("def f(x1):\n    return x1 + 22", "  two  spaces ", "naïve → 日本 🙂\t", "")


@dataclass(frozen=True)
class OwnTokens:
    """Tokens of the model that are not plain text, with their ids."""

    control: list[tuple[str, int]]
    user_defined: list[tuple[str, int]]


@dataclass(frozen=True)
class _Model:
    pieces: list[tuple[str, float, int]]
    is_bpe: bool
    normalizer: str
    prefix_space: bool
    merge_spaces: bool


def read(path: Path) -> tuple["Tokenizer", OwnTokens]:
    """
    Return the tokenizer, without added tokens yet, and the tokens to add.

    Raises ModelError where the model is of another kind than LLaMA's, or the result differs from
    what sentencepiece itself makes of a few samples.
    """
    data = path.read_bytes()
    try:
        model = _parse(data)
    except (IndexError, ValueError, struct.error) as error:
        raise ModelError(f"{path} is damaged; download it again") from error
    if not model.is_bpe or model.normalizer not in ("", "identity") or model.merge_spaces:
        raise ModelError(f"{path} is of another kind than LLaMA's; only that is supported")
    tokenizer = _build(model)
    _compare(tokenizer, data, path)
    numbered = [(piece, i, kind) for i, (piece, _, kind) in enumerate(model.pieces)]
    return tokenizer, OwnTokens(
        control=[(p, i) for p, i, kind in numbered if kind in (_UNKNOWN, _CONTROL)],
        user_defined=[(p, i) for p, i, kind in numbered if kind == _USER_DEFINED],
    )


def _build(model: _Model) -> "Tokenizer":
    """Spaces are U+2581, one is put in front, unknown characters become bytes."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    vocabulary = {piece: i for i, (piece, _, _) in enumerate(model.pieces)}
    unknown = next((piece for piece, _, kind in model.pieces if kind == _UNKNOWN), None)
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=_merges(model.pieces, vocabulary),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=any(kind == _BYTE for _, _, kind in model.pieces),
        )
    )
    front: list[Any] = [normalizers.Prepend("▁")] if model.prefix_space else []
    tokenizer.normalizer = normalizers.Sequence([*front, normalizers.Replace(" ", "▁")])
    back: list[Any] = [decoders.Strip(content=" ", left=1)] if model.prefix_space else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *back]
    )
    return tokenizer


def _merges(
    pieces: Sequence[tuple[str, float, int]], vocabulary: Mapping[str, int]
) -> list[tuple[str, str]]:
    """
    Recover the merges, best first.

    The file stores none: SentencePiece always merges the two neighbours whose union has the best
    score, so every split of a piece into two pieces is a merge, ranked by the score of the piece.
    """
    scores = {p: score for p, score, kind in pieces if kind == _NORMAL}
    merges = list[tuple[float, int, int, str, str]]()
    for piece, score in scores.items():
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in scores and right in scores:
                merges.append((-score, vocabulary[left], vocabulary[right], left, right))
    return [(left, right) for *_, left, right in sorted(merges)]


def _compare(tokenizer: "Tokenizer", data: bytes, path: Path) -> None:
    from sentencepiece import SentencePieceProcessor

    original = SentencePieceProcessor(model_proto=data)
    for text in _SAMPLES:
        if tokenizer.encode(text, add_special_tokens=False).ids != original.encode(text):
            raise ModelError(f"{path} could not be converted: the result tokenizes differently")


def _parse(data: bytes) -> _Model:
    pieces, trainer, normalizer = list[tuple[str, float, int]](), b"", b""
    for number, value in _fields(data):
        if number == 1:
            piece = dict(_fields(value))
            score = struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0
            pieces.append((piece.get(1, b"").decode("utf-8"), score, piece.get(3, _NORMAL)))
        elif number == 2:
            trainer = value
        elif number == 3:
            normalizer = value
    if not pieces:
        raise ValueError("no pieces")
    training, rules = dict(_fields(trainer)), dict(_fields(normalizer))
    return _Model(
        pieces,
        is_bpe=training.get(3, 1) == _MODEL_TYPE_BPE,
        normalizer=rules.get(1, b"").decode("utf-8"),
        prefix_space=bool(rules.get(3, 1)),
        merge_spaces=bool(rules.get(4, 1)),
    )


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value (int or bytes) of each field of a protobuf message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + length > len(data):
            raise ValueError("cut off")
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("varint too long")
