"""Relative imports and exported definitions of JavaScript and TypeScript, by their look."""

import os
import re
from collections.abc import Sequence

from opencoder_lsp.prompt.definitions import (
    MOST_DEFINITIONS,
    MOST_IMPORTS,
    Definitions,
    Import,
    definition,
)

_WHOLE = 12  # lines that are shown of a definition
_ENDINGS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".d.ts", ".vue", ".svelte")
_FROM = re.compile(r"\b(?:import|export)\s([^'\";]{0,400}?)\sfrom\s*['\"](\.[^'\"\n]{0,300})['\"]")
_REQUIRE = re.compile(
    r"\b(?:const|let|var)\s([^=;]{1,400}?)=\s*require\(\s*['\"](\.[^'\"\n]{0,300})['\"]"
)
_DEFINED = re.compile(
    r"(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?"
    r"(?:function\s*\*?|class|interface|type|enum|const|let|var)\s+([\w$]+)"
)
_PAIR = re.compile(r"([\w$]+)(?:\s*(?:\bas\b|:)\s*([\w$]+))?")


def imports(text: str) -> list[Import]:
    """Return what a file takes from files that it names by a relative path."""
    found = list[Import]()
    for pattern in (_FROM, _REQUIRE):
        for match in pattern.finditer(text):
            if len(found) >= MOST_IMPORTS:
                return found
            found.append(_import(match[1], match[2]))
    return found


def definitions(text: str) -> Definitions:
    """Return what a file defines at the start of a line, in order."""
    found = Definitions()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _DEFINED.match(line)
        if match is None or len(found) >= MOST_DEFINITIONS:
            continue
        shown = [line]
        if "{" in line and "}" not in line:
            for below in lines[number + 1 : number + _WHOLE]:
                shown.append(below)
                if below.startswith(("}", ")")):
                    break
        found[match[1]] = definition(shown, [line])
    return found


def candidates(module: str, file: str, folders: Sequence[str]) -> list[str]:
    """Return the paths at which a module may be that the file at the path `file` names."""
    path = os.path.normpath(os.path.join(os.path.dirname(file), module))
    stem = re.sub(r"\.[mc]?jsx?$", "", path)  # TypeScript names what its files are made into
    paths = [path] if path.endswith(_ENDINGS) else []
    paths += [stem + ending for ending in _ENDINGS]
    return [*paths, *(os.path.join(path, "index" + ending) for ending in _ENDINGS[:4])]


def _import(clause: str, module: str) -> Import:
    """Read what stands between `import` and `from`, or left of a `require`."""
    outside, _, inside = clause.partition("{")
    pairs = [(match[1], match[2] or match[1]) for match in _PAIR.finditer(inside)]
    names = [(there, here) for there, here in pairs if there != "type"]
    whole = re.findall(r"[\w$]+", outside.removeprefix("type ").replace("* as ", ""))
    if not names and not whole:  # `export * from`
        names = [("*", "*")]
    # A default export has any name here; that it has the same there is the best guess.
    return Import(module, tuple(names), whole[0] if whole else "")
