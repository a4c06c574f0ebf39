"""A SentencePiece model of LLaMA's kind becomes a tokenizer with the same ids."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import sentencepiece_file, tokenizer_files
from tests.fakes.family import train


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[SentencePieceProcessor, Tokenizer]:
    """The original and the one that was built."""
    folder = tmp_path_factory.mktemp("sentencepiece")
    model = train(folder)
    tokenizer_files.build(folder, folder / "tokenizer.json")
    return (
        SentencePieceProcessor(model_file=str(model)),
        Tokenizer.from_file(str(folder / "tokenizer.json")),
    )


@given(text=st.text() | st.text(alphabet="def (x)1:\n\t ▁é🙂_"))
def test_any_text_gives_the_same_ids(
    both: tuple[SentencePieceProcessor, Tokenizer], text: str
) -> None:
    original, built = both
    plain = text.replace("\x00", "")
    built.encode_special_tokens = True
    assert built.encode(plain, add_special_tokens=False).ids == original.encode(plain)


def test_decoding_gives_the_text_again(both: tuple[SentencePieceProcessor, Tokenizer]) -> None:
    _, built = both
    text = "    def f(x1):\n\treturn '日本 🙂'  # two  spaces"
    assert built.decode(built.encode(text).ids) == text


def test_control_tokens_are_special(both: tuple[SentencePieceProcessor, Tokenizer]) -> None:
    _, built = both
    special = {t.content for t in built.get_added_tokens_decoder().values() if t.special}
    assert special == {"<unk>", "<s>", "</s>"}


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "unigram"},
        {"normalization_rule_name": "nfkc"},
        {"remove_extra_whitespaces": True},
    ],
)
def test_models_of_another_kind_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    model = train(tmp_path, **changes)
    with pytest.raises(ModelError, match="of another kind than LLaMA's"):
        sentencepiece_file.read(model)


def test_a_truncated_model_is_damage(tmp_path: Path) -> None:
    model = train(tmp_path)
    model.write_bytes(model.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"tokenizer\.model is damaged"):
        sentencepiece_file.read(model)
