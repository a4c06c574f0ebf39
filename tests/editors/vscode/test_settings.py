"""The extension's settings are the server's, and no workspace can name what runs."""

import json

from opencoder_lsp.settings import descriptions
from tests.editors.vscode.settings import MANIFEST, NAMES, manifest, names

WRITTEN = json.loads(MANIFEST.read_text(encoding="utf-8"))
SECTIONS = WRITTEN["contributes"]["configuration"]
PROPERTIES = {name: one for section in SECTIONS for name, one in section["properties"].items()}


def test_the_extension_has_every_setting_of_the_server_with_its_default_and_its_help() -> None:
    assert manifest(WRITTEN) == WRITTEN, "run `python -m tests.editors.vscode.settings`"
    assert NAMES.read_text(encoding="utf-8") == names()
    assert {f"opencoder.{one.name}" for one in descriptions()} <= set(PROPERTIES)


def test_settings_that_name_a_program_a_path_a_url_or_a_model_are_the_users_own() -> None:
    for name, one in PROPERTIES.items():
        parts = name.split(".")
        if parts[1] in ("server", "engine", "model", "privacy") or parts[0] != "opencoder":
            assert one["scope"] == "machine", name


def test_commands_of_the_extension_are_none_of_the_servers() -> None:
    from opencoder_lsp.lsp.commands import COMMANDS

    own = {one["command"] for one in WRITTEN["contributes"]["commands"]}
    assert own
    assert not own & set(COMMANDS)


def test_the_lock_file_names_no_registry() -> None:
    lock = MANIFEST.with_name("package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert "https://registry" not in lock
