"""Settings: one list, four sources, two scopes."""

import json
from pathlib import Path

import pytest

from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings import Settings, describe, descriptions, from_process
from opencoder_lsp.settings_descriptions import env_name, markdown_table

README = Path(__file__).parent.parent / "README.md"


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_readme_has_the_table_of_settings_that_the_code_makes() -> None:
    assert markdown_table(descriptions()) in README.read_text(encoding="utf-8")


def test_every_setting_has_a_help_text_and_a_default_that_is_valid() -> None:
    for description in descriptions():
        assert description.help.endswith(".")
    defaults = Settings().model_dump()
    assert Settings.model_validate(defaults) == Settings()


def test_command_line_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    variable = env_name("engine.threads")
    assert Settings.load(toml=path).engine.threads == 0
    toml(tmp_path, "[engine]\nthreads = 1\n")
    assert Settings.load(toml=path).engine.threads == 1
    assert Settings.load(toml=path, env={variable: "2"}).engine.threads == 2
    changed = Settings.load(toml=path, env={variable: "2"}, cli=["engine.threads=3"])
    assert changed.engine.threads == 3


def test_the_engine_url_is_read_from_its_documented_variable() -> None:
    settings = Settings.load(env={"OPENCODER_ENGINE_URL": "http://127.0.0.1:18888/"})
    assert settings.engine.url == "http://127.0.0.1:18888"


def test_toml_takes_dotted_names_and_sections(tmp_path: Path) -> None:
    path = toml(tmp_path, 'model.name = "demo"\n[completion]\nmax_tokens = 8\n')
    settings = Settings.load(toml=path)
    assert (settings.model.name, settings.completion.max_tokens) == ("demo", 8)


@pytest.mark.parametrize(
    ("cli", "says"),
    [
        (
            ["engine.treads=2"],
            "unknown setting 'engine.treads' (from --set); known: chat.code_lens",
        ),
        (["threads"], "--set takes NAME=VALUE, not 'threads'"),
        (["engine.threads=many"], "bad value 'many' for engine.threads (from --set)"),
        (["engine.threads=-1"], "greater than or equal to 0"),
        (["completion.prompt_tokens=3"], "must be `auto` or at least 64"),
        (["chat.temperature=nan"], "finite number"),
        (["chat.temperature=0.001"], "must be 0 (greedy) or at least 0.01"),
        (["completion.temperature=2.1"], "less than or equal to 2"),
        (["engine.url=localhost:80"], "must begin with http://, https:// or unix:/"),
        (["completion.prompt=fill"], "'template', 'fim' or 'prefix'"),
    ],
)
def test_a_bad_setting_on_the_command_line_says_what_is_wrong(cli: list[str], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.load(cli=cli)
    assert says in str(error.value)


def test_an_unknown_variable_of_ours_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.load(env={"OPENCODER_ENGINE_URI": "x"})
    assert "OPENCODER_ENGINE_URI; known: " in str(error.value)
    assert "OPENCODER_ENGINE_URL" in str(error.value)


def test_foreign_variables_with_our_prefix_are_left_alone() -> None:
    assert Settings.load(env={"OPENCODER_HOME": "/x", "OPENCODER_OTHER": "1"}) == Settings()


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    path = toml(tmp_path, "[engine\n")
    with pytest.raises(SettingsError, match=r"settings\.toml is not valid TOML"):
        Settings.load(toml=path)


def test_an_unreadable_file_is_an_error_and_not_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        Settings.load(toml=tmp_path)


@pytest.mark.parametrize("text", ["a,b", '["a", "b"]'])
def test_lists_are_given_with_commas_or_as_json(text: str) -> None:
    assert Settings.load(cli=[f"privacy.exclude={text}"]).privacy.exclude == ("a", "b")


def test_an_editor_changes_what_is_of_scope_window() -> None:
    settings, warnings = Settings().with_client({"completion": {"max_tokens": 5}, "chat": {}})
    assert settings.completion.max_tokens == 5
    assert warnings == []


@pytest.mark.parametrize("options", [None, {}, {"completion": None}, {"completion.enabled": None}])
def test_what_an_editor_leaves_unset_changes_nothing(options: object) -> None:
    assert Settings().with_client(options) == (Settings(), [])


@pytest.mark.fault("S19")
@pytest.mark.parametrize("name", [d.name for d in descriptions() if d.scope == "machine"])
def test_an_editor_cannot_change_what_is_of_scope_machine(name: str) -> None:
    section, key = name.split(".")
    settings, warnings = Settings().with_client({section: {key: "http://evil.example"}})
    assert settings == Settings()
    assert len(warnings) == 1
    assert env_name(name) in warnings[0]


def test_bad_settings_from_an_editor_are_warnings_and_the_good_ones_hold() -> None:
    settings, warnings = Settings().with_client(
        {"completion": {"max_tokens": 5, "colour": "red"}, "chat": {"top_p": 7}, "x": 1}
    )
    assert settings.completion.max_tokens == 5
    assert settings.chat.top_p == Settings().chat.top_p
    assert [w.split(" (")[0].split(";")[0] for w in warnings] == [
        "unknown setting 'completion.colour'",
        "bad value 7 for chat.top_p",
        "unknown setting 'x'",
    ]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("completion", "max_tokens", True),
        ("completion", "max_tokens", "5"),
        ("completion", "max_tokens", 5.5),
        ("completion", "prompt_tokens", True),
        ("completion", "enabled", 0),
        ("chat", "temperature", True),
        ("chat", "top_p", "0.5"),
        ("chat", "system", 5),
    ],
)
def test_a_value_of_another_type_is_not_converted(
    tmp_path: Path, section: str, key: str, value: object
) -> None:
    settings, warnings = Settings().with_client({section: {key: value}})
    assert settings == Settings()
    (warning,) = warnings
    assert warning.startswith(f"bad value {value!r} for {section}.{key} (from the editor's")
    path = toml(tmp_path, f"[{section}]\n{key} = {json.dumps(value)}\n")
    with pytest.raises(SettingsError, match=f"for {section}.{key} .*settings.toml"):
        Settings.load(toml=path)


def test_whole_numbers_and_lists_are_what_they_look_like(tmp_path: Path) -> None:
    path = toml(tmp_path, 'chat.top_p = 1\nprivacy.exclude = ["a", "b"]\nengine.lookup = false\n')
    settings = Settings.load(toml=path)
    assert settings.chat.top_p == 1.0
    assert settings.privacy.exclude == ("a", "b")
    assert settings.engine.lookup is False


def test_text_from_the_environment_and_the_command_line_is_read_as_its_type() -> None:
    cli = ["completion.prompt_tokens=100", "chat.top_p=1", "completion.enabled=false"]
    settings = Settings.load(env={"OPENCODER_CHAT_TEMPERATURE": "0.5"}, cli=cli)
    assert (settings.completion.prompt_tokens, settings.completion.enabled) == (100, False)
    assert (settings.chat.top_p, settings.chat.temperature) == (1.0, 0.5)


def test_only_the_value_that_wins_is_looked_at(tmp_path: Path) -> None:
    path = toml(tmp_path, 'engine.threads = "many"\n')
    assert Settings.load(toml=path, cli=["engine.threads=2"]).engine.threads == 2


@pytest.mark.parametrize("value", [5, True, [], "x"])
def test_a_section_that_is_no_object_is_named_as_that(tmp_path: Path, value: object) -> None:
    settings, (warning,) = Settings().with_client({"completion": value, "chat": {"top_p": 0.5}})
    assert settings.chat.top_p == 0.5
    assert warning.startswith("completion is a section: give it an object, or set completion.enab")
    path = toml(tmp_path, f"completion = {json.dumps(value)}\n")
    with pytest.raises(SettingsError, match=r"completion is a section \(from .*toml\): give it an"):
        Settings.load(toml=path)
    with pytest.raises(SettingsError, match=r"completion is a section \(from --set\): "):
        Settings.load(cli=["completion=5"])


@pytest.mark.parametrize("options", [[], "x", 3])
def test_settings_of_another_shape_are_one_warning(options: object) -> None:
    assert Settings().with_client(options) == (Settings(), ["settings must be an object"])


def test_describe_gives_the_scope_and_default() -> None:
    description = describe("engine.url")
    assert (description.scope, description.default, description.type) == ("machine", "", "text")


def test_the_process_reads_the_file_of_its_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODER_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    toml(tmp_path / "config", "engine.queue = 7\n")
    assert from_process(["engine.threads=2"]).engine.queue == 7
