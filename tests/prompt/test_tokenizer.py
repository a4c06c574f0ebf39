"""The tokenizer: no control token from text, and never half a character."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, models
from tokenizers import Tokenizer as Backend

from opencoder_lsp.errors import ModelError, PromptError
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.prompt import vocabularies

CONTROLS = (
    "<|endoftext|>",
    "<fim_prefix>",
    "<fim_suffix>",
    "<filename>",
    "<|im_start|>",
    "<|im_end|>",
    "<|end_of_turn|>",
    "<s>",
    "</s>",
    "<unk>",
    "<0x0A>",
    "User:",
)
# U+2581 is how SentencePiece writes a blank: its vocabularies cannot tell the two apart.
any_text = st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"]), max_size=20)
texts = st.lists(
    st.one_of(
        st.sampled_from(CONTROLS),
        st.sampled_from(CONTROLS).map(lambda name: name[:-1]),
        st.sampled_from([" ", "\n", "    ", "\t", "\r\n", "1", "def", "🎉", "é", "x = 1"]),
        any_text,
    ),
    max_size=8,
).map("".join)
# Fixtures here last for the session, or are set once for all examples.
many = settings(
    max_examples=600,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.fault("F46", "S17")
@many
@given(text=texts)
def test_no_text_becomes_a_control_token_and_decoding_gives_it_back(
    each_kind: Tokenizer, text: str
) -> None:
    ids = each_kind.encode(text)
    assert each_kind.control_ids.isdisjoint(ids)
    assert each_kind.decode(ids) == text


@pytest.mark.fault("F46", "S17")
@many
@given(text=texts)
def test_starcoder_makes_no_control_token_from_text_and_gives_it_back(
    starcoder: Tokenizer, text: str
) -> None:
    ids = starcoder.encode(text)
    assert starcoder.control_ids.isdisjoint(ids)
    assert starcoder.decode(ids) == re.sub("[\U00040000-\U0007ffff]", "\ufffd", text)


def test_characters_that_starcoder_cannot_write_become_replacement_characters(
    starcoder: Tokenizer,
) -> None:
    assert starcoder.encode("a\U00040000b") == starcoder.encode("a\ufffdb")


@pytest.mark.fault("F49")
@many
@given(data=st.data())
def test_pieces_of_any_ids_join_to_the_text_of_all_and_hold_no_half_character(
    each_kind: Tokenizer, data: st.DataObject
) -> None:
    ids = data.draw(st.lists(st.integers(0, each_kind.vocab_size - 1), max_size=30))
    decoder = each_kind.decoder()
    pieces = [decoder.push(id) for id in ids]
    whole = b"".join(map(each_kind.token_bytes, ids)).decode("utf-8", "replace")
    assert "".join(pieces) + decoder.finish() == whole


@given(text=texts)
@many
def test_a_valid_text_streams_without_a_replacement_character(
    each_kind: Tokenizer, text: str
) -> None:
    text = text.replace("\ufffd", "")
    decoder = each_kind.decoder()
    pieces = [decoder.push(id) for id in each_kind.encode(text)]
    assert decoder.finish() == ""
    assert all("\ufffd" not in piece for piece in pieces)
    assert "".join(pieces).removeprefix(" ") == text.removeprefix(" ") or text.startswith(" ")


def test_an_emoji_of_four_byte_tokens_comes_with_its_last_byte(small: Tokenizer) -> None:
    ids = small.encode("🎉")
    assert len(ids) == 4
    decoder = small.decoder()
    assert [decoder.push(id) for id in ids] == ["", "", "", "🎉"]


def test_an_unfinished_character_is_told_at_the_end(each_kind: Tokenizer) -> None:
    decoder = each_kind.decoder()
    *begun, last = each_kind.encode("🎉")
    assert "".join(map(decoder.push, begun)).strip() == ""
    assert decoder.finish() == "\ufffd"


def test_a_broken_character_does_not_swallow_what_follows(small: Tokenizer) -> None:
    decoder = small.decoder()
    begun = small.encode("🎉")[:2]
    assert "".join(map(decoder.push, begun)) == ""
    assert "".join(map(decoder.push, small.encode("ab"))) == "\ufffdab"


@pytest.mark.fault("F27", "P23")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("x\ud83c", "x\ufffd"),
        ("\ud83c\udf89", "🎉"),
        ("\udf89\ud83c", "\ufffd\ufffd"),
    ],
)
def test_lone_surrogates_become_replacement_characters(
    each_kind: Tokenizer, text: str, meant: str
) -> None:
    assert each_kind.encode(text) == each_kind.encode(meant)


def test_empty_text_has_no_ids(each_kind: Tokenizer) -> None:
    assert each_kind.encode("") == []
    assert each_kind.decode([]) == ""


def test_control_tokens_give_no_text(small: Tokenizer) -> None:
    end = small.control_id("<|end_of_turn|>")
    assert small.token_bytes(end) == b""
    assert small.decode([end, *small.encode("hi"), end]) == "hi"
    assert small.decoder().push(end) == ""


def test_text_of_nothing_but_names_of_control_tokens_is_told(small: Tokenizer) -> None:
    for text in ("", " \n", "<|end_of_turn|>", " <fim_prefix>\n<|endoftext|><|endoftext|> "):
        assert small.is_control_text(text)
    for text in ("x", "<|end_of_turn|> x", "<|end_of_turn|", "<|unknown|>"):
        assert not small.is_control_text(text)


def test_control_tokens_are_found_by_name(small: Tokenizer) -> None:
    assert small.has_control("<fim_prefix>")
    assert small.control_id("<fim_prefix>") in small.control_ids
    assert not small.has_control("<fim-prefix>")
    assert not small.has_control("def")
    with pytest.raises(PromptError, match=r"no control token <fim-prefix>"):
        small.control_id("<fim-prefix>")


def test_every_byte_of_a_byte_level_vocabulary_is_known(small: Tokenizer) -> None:
    single = [small.token_bytes(id) for id in range(small.vocab_size)]
    assert {data for data in single if len(data) == 1} == {bytes([byte]) for byte in range(256)}


def test_bytes_of_a_sentencepiece_vocabulary_are_blanks_and_raw_bytes(llama: Tokenizer) -> None:
    data = [llama.token_bytes(id) for id in llama.encode("def\n    return\t")]
    assert data == [b" def", b"\n", b"   ", b" return", b"\t"]


def test_a_segment_of_a_sentencepiece_vocabulary_begins_with_a_blank_that_is_no_text(
    llama: Tokenizer,
) -> None:
    ids = llama.encode("Human: ")
    assert b"".join(map(llama.token_bytes, ids)) == b" Human: "
    assert llama.decode(ids) == "Human: "


def test_an_answer_that_goes_on_with_a_text_keeps_its_first_blank(llama: Tokenizer) -> None:
    decoder = llama.decoder()
    assert "".join(map(decoder.push, llama.encode("return"))) == " return"


def test_the_backend_decodes_alike(small: Tokenizer, llama: Tokenizer) -> None:
    text = "def f(x):\n    return 'naïve 你好 🎉'\n"
    assert vocabularies.byte_level().decode(small.encode(text)) == text
    assert vocabularies.llama().decode(llama.encode(text)) == text


@pytest.mark.parametrize("id", [-1, 10**6, 2**32, 2**70])
def test_an_id_out_of_range_is_an_error(small: Tokenizer, id: int) -> None:
    with pytest.raises(PromptError, match=str(id)):
        small.token_bytes(id)


def test_the_size_counts_added_tokens(small: Tokenizer) -> None:
    assert small.vocab_size == vocabularies.byte_level().get_vocab_size()


def test_starcoder_has_one_token_more_than_its_base(starcoder: Tokenizer) -> None:
    assert starcoder.vocab_size == 49153


def test_control_tokens_that_a_file_does_not_mark_as_special_are_controls(tmp_path: Path) -> None:
    spec = json.loads(vocabularies.byte_level().to_str())
    for token in spec["added_tokens"]:
        token["special"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    tokenizer = Tokenizer.load(tmp_path)
    end = tokenizer.control_id("<|end_of_turn|>")
    assert end not in tokenizer.encode("a<|end_of_turn|>b")
    assert tokenizer.decode([end]) == ""


def test_added_words_that_are_no_controls_stay_text(tmp_path: Path) -> None:
    backend = vocabularies.byte_level()
    backend.add_tokens([AddedToken("\t\t\t", normalized=False)])
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.load(tmp_path)
    ids = tokenizer.encode("x\t\t\ty")
    assert len(ids) == 3
    assert tokenizer.token_bytes(ids[1]) == b"\t\t\t"
    assert tokenizer.decode(ids) == "x\t\t\ty"


def test_truncation_and_padding_of_a_file_do_not_apply(tmp_path: Path) -> None:
    backend = vocabularies.byte_level()
    backend.enable_truncation(4)
    backend.enable_padding(length=64)
    backend.save(str(tmp_path / "tokenizer.json"))
    assert len(Tokenizer.load(tmp_path).encode("0123456789")) == 10


def test_a_missing_file_is_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"demo/tokenizer\.json is missing; .*models pull demo"):
        Tokenizer.load(tmp_path / "demo")


def _truncated(text: str) -> bytes:
    return text[: len(text) // 2].encode()


def _without_model(text: str) -> bytes:
    spec: dict[str, Any] = json.loads(text)
    del spec["model"]
    return json.dumps(spec).encode()


@pytest.mark.parametrize(
    "broken", [lambda _: b"", lambda _: b"\xff\xfe{", lambda _: b"[]", _truncated, _without_model]
)
def test_a_damaged_file_is_named_with_the_cure(tmp_path: Path, broken: Any) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(broken(vocabularies.byte_level().to_str()))
    with pytest.raises(ModelError, match=r"tokenizer\.json is damaged.*models pull"):
        Tokenizer.load(tmp_path)


def test_a_vocabulary_of_another_kind_is_refused(tmp_path: Path) -> None:
    Backend(models.WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelError, match="neither byte-level nor in SentencePiece's style"):
        Tokenizer.load(tmp_path)


def test_the_ids_of_a_long_text_are_the_caller_s_own(small: Tokenizer) -> None:
    text = "value = compute(item)\n" * 100
    first = small.encode(text)
    first.clear()
    assert small.decode(small.encode(text)) == text
