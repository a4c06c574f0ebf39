"""
The server's settings as the VS Code extension has them: in its `package.json` and for its code.

    python -m tests.editors.vscode.settings     # writes both anew, after a setting has changed
"""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from opencoder_lsp import __version__
from opencoder_lsp.settings import Settings, descriptions
from opencoder_lsp.settings_descriptions import Description

EXTENSION = Path(__file__).parents[3] / "editors" / "vscode"
MANIFEST = EXTENSION / "package.json"
NAMES = EXTENSION / "src" / "server" / "names.ts"
_HEAD = """\
// The names of the language server's settings, by who may give them.
//
// Made from the server's own list by `python -m tests.editors.vscode.settings`; do not edit.

"""
_CONSTRAINTS = ("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "items")


def manifest(old: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest with the server's version and settings, all else as in `old`."""
    own = old["contributes"]["configuration"][0]
    contributes = {**old["contributes"], "configuration": [own, *_sections()]}
    return {**old, "version": __version__, "contributes": contributes}


def names() -> str:
    """Return the TypeScript file with the names."""
    text = _HEAD
    for constant, scope in (("MACHINE", "machine"), ("WINDOW", "window")):
        chosen = [one.name for one in descriptions() if one.scope == scope]
        lines = "".join(f'  "{name}",\n' for name in chosen)
        text += f"export const {constant}: readonly string[] = [\n{lines}];\n"
    return text


def _sections() -> Iterator[dict[str, Any]]:
    for section, own in groupby(descriptions(), lambda one: one.section):
        schema = Settings.model_json_schema()["$defs"][f"{section.title()}Settings"]["properties"]
        properties = {
            f"opencoder.{one.name}": _property(one, schema[one.name.partition(".")[2]], order)
            for order, one in enumerate(own)
        }
        yield {"title": f"Server: {section}", "properties": properties}


def _property(one: Description, schema: dict[str, Any], order: int) -> dict[str, Any]:
    return {
        **_constraints(schema),
        "default": list(one.default) if isinstance(one.default, tuple) else one.default,
        "scope": one.scope,
        "order": order,
        "markdownDescription": one.help,
    }


def _constraints(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: schema[key] for key in _CONSTRAINTS if key in schema}
    if "anyOf" in schema:
        kept["anyOf"] = [_constraints(part) for part in schema["anyOf"]]
    return kept


if __name__ == "__main__":
    whole = manifest(json.loads(MANIFEST.read_text(encoding="utf-8")))
    MANIFEST.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    NAMES.write_text(names(), encoding="utf-8")
