"""OpenChat's models and StarCoder's, pulled as they are published, and the ids of their prompts."""

from pathlib import Path

import pytest

from opencoder_lsp.errors import PromptError
from opencoder_lsp.models import store
from opencoder_lsp.models.known import KNOWN, known
from opencoder_lsp.prompt.completion import Place, build, chosen
from opencoder_lsp.prompt.conversation import TEMPLATES, Message, encode, opens_with_blank, stop_ids
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.family import make_openchat, make_starcoder
from tests.models.conftest import Stages


@pytest.mark.parametrize(("context", "template"), [(2048, "openchat"), (8192, "openchat_8192")])
def test_openchat_gets_the_ids_that_its_training_had(
    source: Path, progress: Stages, context: int, template: str
) -> None:
    pieces = make_openchat(source, context, "Paris.")
    model = store.pull(str(source), progress=progress)
    assert (model.template, model.manifest.context_length) == (template, context)
    tokenizer, eot = Tokenizer.load(model.folder), pieces.vocab_size()
    assert model.manifest.stop_ids == [eot, pieces.eos_id()]
    assert stop_ids(TEMPLATES[template], tokenizer) == [eot, pieces.eos_id()]
    # Each segment by itself, as the slow LLaMA tokenizer's `_tokenize` does it (ochat/config/
    # model_config.py at tag OpenChat-v1): bos, role, text, end of turn, and so on.
    question, answer, again = "What is 12 + 34?", "It is 46.\n\n  Yes.", "Sure <|end_of_turn|></s>?"
    human, assistant = pieces.encode("Human: "), pieces.encode("Assistant: ")
    expected = [
        *[pieces.bos_id(), *human, *pieces.encode(question), eot],
        *[*assistant, *pieces.encode(answer), eot],
        *[*human, *pieces.encode(again), eot, *assistant],
    ]
    conversation = [
        Message("user", question),
        Message("assistant", answer),
        Message("user", again),
    ]
    encoded = encode(TEMPLATES[template], tokenizer, conversation)
    assert encoded.ids == expected
    assert encoded.ids.count(eot) == 3
    learned = [id for id, on in zip(encoded.ids, encoded.mask, strict=True) if on]
    assert learned == [*pieces.encode(answer), eot]
    assert pieces.id_to_piece(encoded.ids[-1]) == "▁"  # "Assistant: " ends with a token of its own


def test_an_answer_of_openchat_begins_with_a_blank_that_is_no_text(
    source: Path, progress: Stages
) -> None:
    pieces = make_openchat(source, 2048, "Paris.")
    tokenizer = Tokenizer.load(store.pull(str(source), progress=progress).folder)
    assert b"".join(map(tokenizer.token_bytes, pieces.encode("Paris."))) == b" Paris."
    question = Message("user", "Where?")
    assert opens_with_blank(tokenizer, [question])
    assert opens_with_blank(tokenizer, [question, Message("assistant", "")])
    assert not opens_with_blank(tokenizer, [question, Message("assistant", "In ")])


def test_starcoder_is_a_base_model_that_fills_in_the_middle(source: Path, progress: Stages) -> None:
    make_starcoder(source, {"(": "1"})
    model = store.pull(str(source), progress=progress)
    assert (model.template, model.manifest.stop_ids) == ("", [0])
    tokenizer, base = Tokenizer.load(model.folder), TEMPLATES[model.template]
    assert chosen("auto", tokenizer, base) == "fim"
    place = Place("a.py", "python", "f(", ")\n")
    asked = {"mode": "auto", "limit": 100}
    spm = build(place, tokenizer, base, fim_order="spm", **asked).ids  # type: ignore[arg-type]
    psm = build(place, tokenizer, base, fim_order="psm", **asked).ids  # type: ignore[arg-type]
    prefix, middle, suffix, name = 1, 2, 3, 5
    before = [name, *tokenizer.encode("a.py\nf(")]
    after = tokenizer.encode("\n")
    assert spm == [prefix, suffix, *after, middle, *before]
    assert psm == [prefix, *before, suffix, *after, middle]
    assert stop_ids(base, tokenizer)[-1] == 0
    assert {prefix, middle, suffix, name} < set(stop_ids(base, tokenizer))


def test_chat_with_a_base_model_is_refused_with_the_cure(source: Path, progress: Stages) -> None:
    make_starcoder(source, {"(": "1"})
    model = store.pull(str(source), progress=progress)
    tokenizer, base = Tokenizer.load(model.folder), TEMPLATES[model.template]
    with pytest.raises(PromptError, match=r"does not chat.*model\.name.*model\.template"):
        encode(base, tokenizer, [Message("user", "Hello?")])
    with pytest.raises(PromptError, match=r"set completion\.prompt to auto"):
        build(Place("", "", "f(", ""), tokenizer, base, mode="template", fim_order="spm", limit=100)


@pytest.mark.parametrize(
    ("name", "template", "context"),
    [
        ("openchat/openchat", "openchat", 2048),
        ("openchat_8192", "openchat_8192", 8192),
        ("bigcode/starcoder", "", 8192),
        ("StarCoderBase", "", 8192),
        ("bigcode/tiny_starcoder_py", "", 8192),
    ],
)
def test_the_models_of_the_family_are_known_by_name(name: str, template: str, context: int) -> None:
    model = known(name)
    assert model is not None
    assert (model.template, model.context_length) == (template, context)
    assert model.template in TEMPLATES
    assert not model.template or TEMPLATES[template].context_length == context


def test_the_stops_of_a_known_model_are_those_of_its_template() -> None:
    for model in KNOWN.values():
        template = TEMPLATES[model.template]
        ends = {template.eot, *template.ends} if template.eot else set(template.ends)
        assert set(model.stop_tokens) <= ends, model.name
