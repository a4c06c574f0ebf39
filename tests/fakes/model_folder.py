"""A model folder without weights: a small byte-level BPE tokenizer and a manifest."""

import hashlib
import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

FIRST = ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<filename>")
LAST = ("<|im_start|>", "<|im_end|>", "<|end_of_turn|>")
WORDS = (
    "def",
    "return",
    "self",
    "Ġreturn",
    "Ġself",
    "User",
    "Assistant",
    "ĠĠĠĠ",
    "user",
    "assistant",
)
END_OF_TURN = {"chatml": "<|im_end|>", "opencoder": "<|end_of_turn|>"}


def make_tokenizer_folder(
    path: Path,
    template: str = "chatml",
    *,
    name: str = "tiny",
    context_length: int = 2048,
    weights: bool = False,
) -> Path:
    """
    Write `tokenizer.json` and `opencoder.json` into `path` and return it.

    `weights` is what the manifest says of them; there are none in any case.

    Ids are always the same: five control tokens, the 256 bytes, the merges, three control tokens.
    Digits stand alone, as in StarCoder's and SmolLM2's vocabularies.
    """
    path.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    file = path / "tokenizer.json"
    tokenizer.save(str(file))
    stops = [END_OF_TURN[template], "<|endoftext|>"]
    manifest = {
        "version": 1,
        "name": name,
        "architecture": "gpt_bigcode" if template == "opencoder" else "llama",
        "template": template,
        "stop_ids": [tokenizer.token_to_id(token) for token in stops],
        "context_length": context_length,
        "licence": "none",
        "source": "made by a test",
        "weights": weights,
        "files": {
            file.name: {
                "size": file.stat().st_size,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
        },
    }
    (path / "opencoder.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return path


def make_tokenizer() -> Tokenizer:
    """Make the tokenizer itself, in memory."""
    merges = [pair for word in WORDS for pair in _merges(word)]
    merges = list(dict.fromkeys(merges))
    tokens = [*FIRST, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokens += dict.fromkeys(left + right for left, right in merges)
    vocabulary = {token: id for id, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [AddedToken(token, special=True, normalized=False) for token in (*FIRST, *LAST)]
    tokenizer.add_special_tokens(control)
    return tokenizer


def _merges(word: str) -> list[tuple[str, str]]:
    """Merges that build a word from its left end, one character at a time."""
    return [(word[:end], word[end]) for end in range(1, len(word))]
