"""The vocabularies that these tests share."""

import json
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.prompt import vocabularies

STARCODER = Path(__file__).parents[3] / "shared" / "starcoder"


@pytest.fixture(scope="session")
def starcoder() -> Tokenizer:
    """StarCoder's own vocabulary with `<|end_of_turn|>`; not part of this repository."""
    if not STARCODER.is_dir():
        pytest.skip(f"StarCoder's vocabulary is not here: {STARCODER}")
    return Tokenizer.load(STARCODER)


def goldens(name: str) -> list[Any]:
    """Return the cases of a golden file; none where the files are absent (then a test skips)."""
    file = STARCODER / name
    cases: list[Any] = json.loads(file.read_bytes())["cases"] if file.is_file() else []
    return cases


@pytest.fixture(scope="session")
def small() -> Tokenizer:
    """A small byte-level vocabulary with the control tokens of StarCoder and ChatML."""
    return Tokenizer(vocabularies.byte_level())


@pytest.fixture(scope="session")
def llama() -> Tokenizer:
    """A small vocabulary in SentencePiece's style."""
    return Tokenizer(vocabularies.llama())


@pytest.fixture(scope="session", params=["byte-level", "llama", "metaspace", "unigram"])
def each_kind(request: pytest.FixtureRequest) -> Tokenizer:
    """Small vocabularies of every supported kind, one after the other."""
    made = {
        "byte-level": lambda: vocabularies.byte_level(),
        "llama": vocabularies.llama,
        "metaspace": lambda: vocabularies.llama(metaspace=True),
        "unigram": vocabularies.unigram,
    }
    return Tokenizer(made[request.param]())
