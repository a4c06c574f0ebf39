"""The Neovim plugin's table of settings is the server's."""

from tests.editors.lua_settings import FILE, render


def test_the_plugin_has_every_setting_of_the_server_with_its_default_and_its_help() -> None:
    written = FILE.read_text(encoding="utf-8")
    assert written == render(), "run `python -m tests.editors.lua_settings`"
