"""
Tiny models as the others of the family are published, which say what they are told to.

Their layers add nothing, so that the next token follows from the last one alone: each token of a
chain is followed by the next.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from opencoder_lsp.models import config as model_config
from opencoder_lsp.models import tokenizer_files
from tests.models.checkpoints import BIGCODE, LLAMA, write_config, write_shards, write_vocabulary

WIDTH = 64
SENTENCEPIECE: dict[str, Any] = {
    "model_type": "bpe",
    "vocab_size": 600,
    "byte_fallback": True,
    "split_digits": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "add_dummy_prefix": True,
    "allow_whitespace_only_pieces": True,
    "minloglevel": 9,
}
EOT = "<|end_of_turn|>"


def train(folder: Path, **changes: Any) -> Path:
    """Train a SentencePiece model of LLaMA's kind on this package's own sources."""
    here = Path(tokenizer_files.__file__).parent
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(p.read_text("utf-8") for p in sorted(here.glob("*.py"))), "utf-8")
    SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "tokenizer"), **(SENTENCEPIECE | changes)
    )
    corpus.unlink()
    return folder / "tokenizer.model"


def make_openchat(folder: Path, context: int, says: str) -> SentencePieceProcessor:
    """
    Write a repository like openchat/openchat: `.bin` shards in float16, `tokenizer.model`, and
    the end of a turn as an added token. The model answers each question with `says`.

    Returns the original tokenizer, which knows nothing of the added token.
    """
    folder.mkdir(parents=True)
    pieces = SentencePieceProcessor(model_file=str(train(folder)))
    eot = pieces.vocab_size()
    (folder / "added_tokens.json").write_text(json.dumps({EOT: eot}), "utf-8")
    shape = {
        **LLAMA,
        "hidden_size": WIDTH,
        "max_position_embeddings": context,
        "vocab_size": eot + 1,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    chain = [pieces.encode("Assistant: ")[-1], *pieces.encode(says), eot]
    _write(folder, shape, chain)
    return pieces


def make_starcoder(folder: Path, says: Mapping[str, str]) -> None:
    """
    Write a repository like bigcode/tiny_starcoder_py: no end of a turn, no template.

    Behind each of the characters of `says` the model writes that text, and then ends.
    """
    write_vocabulary(folder, eot=False)
    ids: dict[str, int] = json.loads((folder / "vocab.json").read_text("utf-8"))
    chain = list[int]()
    for character, text in says.items():
        chain += [ids[character], *(ids[one] for one in text), 0]
    _write(folder, {**BIGCODE, "n_embd": WIDTH, "n_positions": 256, "vocab_size": len(ids)}, chain)


def _write(folder: Path, shape: Mapping[str, Any], chain: Sequence[int]) -> None:
    starts = [token for token in chain[:-1] if token]
    assert len(set(starts)) == len(starts) <= WIDTH
    shape = {**shape, "tie_word_embeddings": False}
    weights = {
        name: torch.full(size, float(len(size) == 1 and name.endswith("weight")))
        for name, size in model_config.tensors(shape).items()
    }
    embedding = next(w for name, w in weights.items() if "wte" in name or "embed" in name)
    for axis, (token, following) in enumerate(zip(chain, chain[1:], strict=False)):
        if token or not axis:
            embedding[token, axis] = 1.0
            weights["lm_head.weight"][following, axis] = 10.0
    write_config(folder, shape)
    write_shards(folder, {n: w.half() for n, w in weights.items()}, pickled=True)
