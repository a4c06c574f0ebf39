"""The ways to ask that are compared."""

import pytest

from opencoder_lsp.bench.modes import DEFAULT, Mode, usable
from opencoder_lsp.errors import SettingsError
from opencoder_lsp.prompt.conversation import BASE, TEMPLATES
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.prompt import vocabularies

CHATML = TEMPLATES["chatml"]


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(vocabularies.byte_level())


@pytest.mark.parametrize("name", DEFAULT)
def test_a_mode_is_named_as_it_is_written(name: str) -> None:
    assert Mode.parse(name).name == name


@pytest.mark.parametrize("name", DEFAULT)
def test_the_settings_of_a_mode_are_settings(name: str) -> None:
    mode = Mode.parse(name)
    completion = Settings.load(cli=mode.settings()).completion
    assert completion.healing == mode.healing
    assert completion.context == mode.context
    assert mode.layout.startswith(completion.prompt)
    assert not mode.layout.startswith("fim") or mode.layout.endswith(completion.fim_order)


@pytest.mark.parametrize("name", ["", "fim", "prefix+speed", "template,prefix", "+healing"])
def test_what_is_no_mode_is_an_error_that_says_what_is(name: str) -> None:
    with pytest.raises(SettingsError, match="is no mode; one is prefix, template"):
        Mode.parse(name)


def test_the_order_of_options_does_not_matter() -> None:
    assert Mode.parse("template+context+healing") == Mode.parse("template+healing+context")


def test_the_bare_prefix_is_always_there_and_the_first(tokenizer: Tokenizer) -> None:
    modes, missing = usable(["template", "template+healing", "template"], tokenizer, CHATML)
    assert [mode.name for mode in modes] == ["prefix", "template", "template+healing"]
    assert missing == []


def test_a_vocabulary_without_its_tokens_leaves_a_mode_out_and_that_is_said() -> None:
    modes, missing = usable(DEFAULT, Tokenizer(vocabularies.llama()), CHATML)
    assert not any(mode.layout.startswith("fim") for mode in modes)
    assert [line.split(":")[0] for line in missing] == ["fim-psm+healing", "fim-spm+healing"]
    assert "no fill-in-the-middle tokens" in missing[0]


def test_a_vocabulary_with_its_tokens_has_every_mode(tokenizer: Tokenizer) -> None:
    modes, missing = usable(DEFAULT, tokenizer, CHATML)
    assert [mode.name for mode in modes] == list(DEFAULT)
    assert missing == []


def test_a_base_model_has_no_modes_in_a_template(tokenizer: Tokenizer) -> None:
    modes, missing = usable(["template", "template+healing", "fim-spm"], tokenizer, BASE)
    assert [mode.name for mode in modes] == ["prefix", "fim-spm"]
    assert missing == [
        f"{name}: this model has no conversation template"
        for name in ("template", "template+healing")
    ]
