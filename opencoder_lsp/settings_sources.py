"""
Where settings come from: the user's TOML file, the environment, the command line, an editor.

TOML and editors give values with types, which are not to be converted: true is no number. The
others give text.
"""

import json
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings_descriptions import Description, env_name


@dataclass(frozen=True, slots=True)
class Given:
    """A value for the setting `name`; `source` says to people where it stands."""

    name: str
    value: Any
    source: str = ""
    is_text: bool = False


def from_toml(path: Path) -> Iterator[Given]:
    """Read a file, if it exists; raises SettingsError where it cannot be read or is no TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    try:
        for name, value in flatten(tomllib.loads(text)):
            yield Given(name, value, str(path))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error


def from_env(env: Mapping[str, str], known: Collection[Description]) -> Iterator[Given]:
    """
    Read the environment.

    Raises SettingsError for an unknown variable of one of our sections; others with our prefix are
    not settings.
    """
    names = {description.variable: description.name for description in known}
    sections = tuple({env_name(description.section) + "_" for description in known})
    for variable in sorted(env):
        if variable in names:
            yield Given(names[variable], env[variable], variable, is_text=True)
        elif variable.startswith(sections):
            raise SettingsError(
                f"unknown setting in the environment: {variable}; known: {', '.join(sorted(names))}"
            )


def from_cli(pairs: Sequence[str]) -> Iterator[Given]:
    """Read `NAME=VALUE` pairs; raises SettingsError for what is none."""
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set takes NAME=VALUE, not {pair!r}")
        yield Given(name.strip(), text, "--set", is_text=True)


def flatten(options: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of each setting of an object of sections or of dotted names."""
    for key, value in options.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and "." not in name:
            yield from flatten(value, name + ".")
        elif value is not None:  # an editor sends null for what its user left unset
            yield name, value


def value_of(given: Given, description: Description) -> Any:
    """Return the value to check: a text for a list is JSON or has commas between its parts."""
    if description.type != "list":
        return given.value
    if not given.is_text:
        return tuple(given.value) if isinstance(given.value, list) else given.value
    text: str = given.value
    try:
        return tuple(json.loads(text) if text.lstrip().startswith("[") else text.split(","))
    except json.JSONDecodeError as error:
        raise SettingsError(f"bad value for {given.name} (from {given.source}): {error}") from None
