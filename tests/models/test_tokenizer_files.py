"""tokenizer.json is built from older forms such that it gives the ids of the original."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import tokenizer_files
from tests.models.checkpoints import EOT, write_vocabulary

STARCODER = Path(__file__).parents[3] / "shared" / "starcoder" / "tokenizer.json"


def build(folder: Path) -> Tokenizer:
    """Build tokenizer.json beside the sources and load it."""
    tokenizer_files.build(folder, folder / "built.json")
    return Tokenizer.from_file(str(folder / "built.json"))


def test_digits_of_the_starcoder_family_stand_alone(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    assert build(tmp_path).encode("\n    12").tokens == ["ĊĠĠĠĠ", "1", "2"]


def test_control_tokens_of_the_starcoder_family_are_special(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    tokenizer = build(tmp_path)
    assert tokenizer.encode(f"<fim_prefix>{EOT}").ids == [1, 278]
    special = {t.content for t in tokenizer.get_added_tokens_decoder().values() if t.special}
    assert {"<|endoftext|>", "<fim_prefix>", "<reponame>", EOT} <= special
    assert tokenizer.decode([1, 278]) == ""


def test_control_tokens_can_be_switched_off_in_plain_text(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    tokenizer = build(tmp_path)
    tokenizer.encode_special_tokens = True
    ids = tokenizer.encode(f"<fim_prefix> {EOT}").ids
    assert 278 not in ids
    assert min(ids) >= 19
    assert tokenizer.decode(ids) == f"<fim_prefix> {EOT}"


def test_a_ready_tokenizer_gets_the_token_that_was_added_later(tmp_path: Path) -> None:
    write_vocabulary(tmp_path, eot=False)
    tokenizer_files.build(tmp_path, tmp_path / "tokenizer.json")
    (tmp_path / "added_tokens.json").write_text(json.dumps({EOT: 278}))
    assert build(tmp_path).token_to_id(EOT) == 278


def test_an_added_token_that_would_get_another_id_is_an_error(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({EOT: 49152}))
    with pytest.raises(ModelError, match=r"<\|end_of_turn\|> would get id 278 instead of 49152"):
        build(tmp_path)


def test_merges_are_read_with_and_without_a_version_line(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    first = build(tmp_path).encode("x    y").ids
    lines = (tmp_path / "merges.txt").read_text().splitlines()[1:]
    (tmp_path / "merges.txt").write_text("\n".join(lines))
    assert build(tmp_path).encode("x    y").ids == first


def test_a_merge_whose_left_part_is_a_hash_is_not_taken_for_a_comment(tmp_path: Path) -> None:
    write_vocabulary(tmp_path, eot=False)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    vocabulary["##"] = len(vocabulary)
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("# #\n")
    assert build(tmp_path).encode("##").tokens == ["##"]


def test_size_and_control_ids_are_read_from_the_file(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    tokenizer_files.build(tmp_path, tmp_path / "tokenizer.json")
    assert tokenizer_files.vocabulary_size(tmp_path) == 279
    names = (EOT, "<|im_end|>", "<|endoftext|>")
    assert tokenizer_files.control_ids(tmp_path, names) == [278, 0]


def test_a_folder_without_tokenizer_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither tokenizer\.json, nor vocab\.json"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "<html>"),
        ("tokenizer.model", "\x00\x01"),
        ("tokenizer.model", "not a model at all"),
        ("tokenizer.model", ""),
    ],
)
def test_a_damaged_tokenizer_is_named(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ModelError, match=r"damaged"):
        build(tmp_path)


def test_a_damaged_vocabulary_is_named(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    (tmp_path / "vocab.json").write_text('{"a": ')
    with pytest.raises(ModelError, match=r"vocab\.json is damaged"):
        build(tmp_path)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Tokenizer]:
    """StarCoder's tokenizer, and the one built from its parts, as OpenCoderPlus has them."""
    if not STARCODER.exists():
        pytest.skip("StarCoder's vocabulary is not here")
    folder = tmp_path_factory.mktemp("starcoder")
    model = json.loads(STARCODER.read_text("utf-8"))["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = "\n".join(" ".join(merge) for merge in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", "utf-8")
    (folder / "added_tokens.json").write_text(json.dumps({EOT: 49152}))
    return Tokenizer.from_file(str(STARCODER)), build(folder)


@given(text=st.text() | st.text(alphabet="ab 1\n\t.(<|>_é🙂"))
def test_starcoder_put_together_again_gives_the_same_ids(
    both: tuple[Tokenizer, Tokenizer], text: str
) -> None:
    original, built = both
    assert built.encode(text).ids == original.encode(text).ids


def test_starcoder_put_together_again_has_the_same_control_tokens(
    both: tuple[Tokenizer, Tokenizer],
) -> None:
    original, built = (
        {i: (t.content, t.special) for i, t in tokenizer.get_added_tokens_decoder().items()}
        for tokenizer in both
    )
    assert built == original
