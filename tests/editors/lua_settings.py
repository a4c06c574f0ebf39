"""
The server's settings as the Neovim plugin has them: `editors/neovim/lua/opencoder/settings.lua`.

    python -m tests.editors.lua_settings      # writes the file anew, after a setting has changed
"""

import json
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from opencoder_lsp.settings import descriptions
from opencoder_lsp.settings_descriptions import Description

FILE = Path(__file__).parents[2] / "editors" / "neovim" / "lua" / "opencoder" / "settings.lua"
_WIDTH = 100
_HEAD = """\
--- The settings of the language server with their defaults: what `settings` of `setup()` takes.
---
--- Made from the server's own list by `python -m tests.editors.lua_settings`; do not edit.
"""


def lua(value: Any) -> str:
    """Write a value as Lua, as stylua would."""
    if isinstance(value, tuple | list):
        return "{ " + ", ".join(map(lua, value)) + " }" if value else "{}"
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str, indent: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{indent}-- ",
        subsequent_indent=f"{indent}-- ",
        break_on_hyphens=False,
    )


def _assignment(key: str, value: Any) -> str:
    line = f"    {key} = {lua(value)},"
    if len(line) <= _WIDTH or not isinstance(value, tuple | list):
        return line
    items = "".join(f"      {lua(item)},\n" for item in value)
    return f"    {key} = {{\n{items}    }},"


def _type(description: Description) -> str:
    """Name a type for LuaLS."""
    parts = {
        "integer": "integer",
        "number": "number",
        "true or false": "boolean",
        "list": "string[]",
        "text": "string",
    }
    if description.type in parts:
        return parts[description.type]
    text = description.type.replace(" or ", " · ").replace("true · false", "true or false")
    names = text.split(" · ")
    return "|".join(json.dumps(name.strip("`")) if "`" in name else parts[name] for name in names)


def _classes(sections: dict[str, list[Description]]) -> Iterator[str]:
    for section, own in sections.items():
        yield f"---@class opencoder.settings.{section.title()}"
        for one in own:
            yield f"---@field {one.name.partition('.')[2]}? {_type(one)}"
        yield ""
    yield "---@class opencoder.Settings"
    for section in sections:
        yield f"---@field {section}? opencoder.settings.{section.title()}"


def render() -> str:
    """Return the file."""
    groups = groupby(descriptions(), lambda one: one.section)
    sections = {section: list(own) for section, own in groups}
    lines = [_HEAD, *_classes(sections), "", "local M = {}", "", "---@type opencoder.Settings"]
    lines.append("M.defaults = {")
    for section, own in sections.items():
        lines.append(f"  {section} = {{")
        for one in own:
            lines.append(_comment(one.help, "    "))
            lines.append(_assignment(one.name.partition(".")[2], one.default))
        lines.append("  },")
    lines += ["}", "", "-- What a workspace must not choose: passed to the server as arguments."]
    lines.append("---@type table<string, true>")
    lines.append("M.machine = {")
    for one in descriptions():
        if one.scope == "machine":
            lines.append(f'  ["{one.name}"] = true,')
    lines += ["}", "", "return M", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
