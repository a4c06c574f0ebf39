"""
Every setting, once: its name, type, default, help and scope.

A setting is read, in rising precedence, from its default, the user's TOML file, the environment
(`engine.url` is `OPENCODER_ENGINE_URL`) and the command line (`--set engine.url=…`). A setting of
scope "window" is also taken from the editor, by `initializationOptions` and
`workspace/configuration`. One of scope "machine" (a path, a URL, a model) is not: a workspace that
somebody sent must not be able to name what runs or where code goes.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from opencoder_lsp import paths
from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings_descriptions import Description, described, env_name
from opencoder_lsp.settings_sections import (
    ChatSettings,
    CompletionSettings,
    EngineSettings,
    ModelSettings,
    PrivacySettings,
    Section,
    StatsSettings,
)
from opencoder_lsp.settings_sources import Given, flatten, from_cli, from_env, from_toml, value_of

__all__ = [
    "ChatSettings",
    "CompletionSettings",
    "EngineSettings",
    "ModelSettings",
    "PrivacySettings",
    "Settings",
    "StatsSettings",
    "describe",
    "descriptions",
    "from_process",
]


class Settings(Section):
    """All settings. Immutable; make changed ones with `load` or `with_client`."""

    model: ModelSettings = ModelSettings()
    engine: EngineSettings = EngineSettings()
    completion: CompletionSettings = CompletionSettings()
    chat: ChatSettings = ChatSettings()
    privacy: PrivacySettings = PrivacySettings()
    stats: StatsSettings = StatsSettings()

    @classmethod
    def load(
        cls,
        *,
        toml: Path | None = None,
        env: Mapping[str, str] | None = None,
        cli: Sequence[str] = (),
    ) -> Self:
        """
        Read the TOML file (if it exists), the environment and `name=value` pairs, the last winning.

        Raises SettingsError, naming the source, for an unknown name or a bad value.
        """
        file = from_toml(toml) if toml else ()
        every = [*file, *from_env(env or {}, descriptions()), *from_cli(cli)]
        settings = cls()
        for given in {given.name: given for given in every}.values():
            settings = settings._with(given)
        return settings

    def with_client(self, options: object) -> tuple[Self, list[str]]:
        """
        Return these settings changed by what an editor sent, and a warning for each thing refused.

        `options` is an object of sections (`{"completion": {"max_tokens": 32}}`) or of dotted
        names; null and empty objects change nothing. What is unknown, bad or of scope "machine"
        is left as it was.
        """
        settings, warnings = self, list[str]()
        if options is None:
            return settings, warnings
        if not isinstance(options, Mapping):
            return settings, ["settings must be an object"]
        for name, value in flatten(options):
            try:
                if describe(name).scope == "machine":
                    raise SettingsError(
                        f"{name} is not taken from the editor; set {env_name(name)} or put it in "
                        f"{paths.config_file()}"
                    )
                settings = settings._with(Given(name, value, "the editor's settings"))
            except SettingsError as error:
                warnings.append(str(error))
        return settings, warnings

    def _with(self, given: Given) -> Self:
        description = describe(given.name, given.source)
        section, _, key = description.name.partition(".")
        values = self.model_dump()
        values[section][key] = value_of(given, description)
        try:
            return type(self).model_validate(values, strict=not given.is_text)
        except ValidationError as error:
            raise SettingsError(_bad_value(given, error)) from None


@cache
def descriptions() -> tuple[Description, ...]:
    """Describe every setting, in the order in which they are defined."""
    return tuple(described(Settings))


def describe(name: str, source: str = "") -> Description:
    """Return the description of `name`; raises SettingsError, listing what is known."""
    known = {description.name: description for description in descriptions()}
    if name in known:
        return known[name]
    where = f" (from {source})" if source else ""
    if name in Settings.model_fields:
        own = ", ".join(one for one in known if one.startswith(f"{name}."))
        raise SettingsError(f"{name} is a section{where}: give it an object, or set {own}")
    raise SettingsError(f"unknown setting {name!r}{where}; known: {', '.join(sorted(known))}")


def from_process(cli: Sequence[str] = ()) -> Settings:
    """Load the settings of this process: the user's file, `os.environ` and `cli`."""
    return Settings.load(toml=paths.config_file(), env=os.environ, cli=cli)


def _bad_value(given: Given, error: ValidationError) -> str:
    reason = "; ".join(
        dict.fromkeys(e["msg"].removeprefix("Value error, ") for e in error.errors())
    )
    return f"bad value {given.value!r} for {given.name} (from {given.source}): {reason}"
