"""Small vocabularies of each supported kind, made in memory."""

import json
from collections.abc import Collection, Iterator

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from tests.fakes.model_folder import make_tokenizer

LLAMA_CONTROLS = ("<unk>", "<s>", "</s>", "<|end_of_turn|>")
LLAMA_WORDS = ("▁Human", "▁Assistant", "▁def", "▁return", "▁▁▁▁", "self")


def byte_level(*, without: Collection[str] = ()) -> Backend:
    """
    StarCoder's kind: bytes in printable form, control tokens of StarCoder and ChatML.

    Those in `without` are renamed, so the vocabulary lacks them.
    """
    backend = make_tokenizer()
    spec = json.loads(backend.to_str())
    for token in spec["added_tokens"]:
        if token["content"] in without:
            del spec["model"]["vocab"][token["content"]]
            token["content"] = "<gone>"
            spec["model"]["vocab"]["<gone>"] = token["id"]
    return Backend.from_str(json.dumps(spec))


def llama(*, metaspace: bool = False) -> Backend:
    """
    LLaMA's kind: `▁` for a blank, one in front of each segment, `<0x0A>` for other bytes.

    Files differ in how they say so: by normalizers, or by the `Metaspace` pre-tokenizer.
    """
    merges = list(dict.fromkeys(pair for word in LLAMA_WORDS for pair in _merges(word)))
    tokens = [*LLAMA_CONTROLS[:3], *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += ["▁", *(chr(code) for code in range(0x21, 0x7F))]
    tokens += dict.fromkeys(left + right for left, right in merges)
    vocabulary = {token: id for id, token in enumerate(dict.fromkeys(tokens))}
    backend = Backend(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True
        )
    )
    if metaspace:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1),
        ]
    )
    backend.add_special_tokens([_control(token) for token in LLAMA_CONTROLS])
    return backend


def unigram() -> Backend:
    """SentencePiece's other kind, whose plain vocabulary holds the spelling of `</s>`."""
    pieces = [(token, 0.0) for token in LLAMA_CONTROLS]
    pieces += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    pieces += [("▁", -3.0), *((chr(code), -5.0) for code in range(0x21, 0x7F))]
    backend = Backend(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    backend.add_special_tokens([_control(token) for token in LLAMA_CONTROLS])
    return backend


def _control(token: str) -> AddedToken:
    return AddedToken(token, special=True, normalized=False)


def _merges(word: str) -> Iterator[tuple[str, str]]:
    return ((word[:end], word[end]) for end in range(1, len(word)))
