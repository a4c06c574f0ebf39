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
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from opencoder_lsp import paths
from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings_descriptions import Description, described, env_name
from opencoder_lsp.settings_sources import Given, flatten, from_cli, from_env, from_toml, value_of

_MACHINE: dict[str, Any] = {"scope": "machine"}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSettings(_Section):
    """Which model runs."""

    name: str = Field(
        "auto",
        min_length=1,
        description="A known model, a model folder, or `auto`: OpenCoderPlus where it is pulled "
        "and the GPUs can hold it, else the demo model.",
        json_schema_extra=_MACHINE,
    )
    template: Literal["", "opencoder", "openchat", "openchat_8192", "chatml"] = Field(
        "",
        description="Conversation template; empty for the model's own.",
        json_schema_extra=_MACHINE,
    )


class EngineSettings(_Section):
    """The process that holds the model."""

    url: str = Field(
        "",
        description="An engine elsewhere: `http://host:port` or `unix:/path`. Empty starts and "
        "shares one on this machine. Code and conversations are sent there.",
        json_schema_extra=_MACHINE,
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the model runs.", json_schema_extra=_MACHINE
    )
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        "auto",
        description="Type of weights and KV cache; `auto` is bfloat16, and float32 on a CPU "
        "without fast bfloat16.",
        json_schema_extra=_MACHINE,
    )
    threads: int = Field(
        0, ge=0, le=1024, description="CPU threads; 0 for one per core.", json_schema_extra=_MACHINE
    )
    context: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Longest prompt and answer together, in tokens; 0 for what the model allows.",
        json_schema_extra=_MACHINE,
    )
    slots: int = Field(
        0,
        ge=0,
        le=256,
        description="Requests computed side by side, each with memory for a whole context; 0 for "
        "as many as a share of the free memory holds, at most 8.",
        json_schema_extra=_MACHINE,
    )
    queue: int = Field(
        32,
        ge=1,
        le=10_000,
        description="Requests that may wait; one more is refused.",
        json_schema_extra=_MACHINE,
    )
    request_seconds: float = Field(
        600,
        ge=0,
        le=86_400,
        description="Seconds after which a request is given up, waiting included; 0 for never.",
        json_schema_extra=_MACHINE,
    )
    step_seconds: float = Field(
        60,
        ge=0,
        le=86_400,
        description="Seconds after which one step of the model counts as stuck, and the engine "
        "ends, to be started anew; 0 for never.",
        json_schema_extra=_MACHINE,
    )
    lookup: bool = Field(
        True,
        description="Whether tokens are guessed from the prompt and verified several at a time: "
        "what greedy decoding says, sooner.",
        json_schema_extra=_MACHINE,
    )
    linger: float = Field(
        120,
        ge=0,
        le=86_400,
        description="Seconds that the engine lives on after the last editor has gone.",
        json_schema_extra=_MACHINE,
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://", "unix:/")):
            raise ValueError("must begin with http://, https:// or unix:/")
        return url.rstrip("/")


def _not_vanishing(temperature: float) -> float:
    # What the engine refuses: logits divided by less than this overflow into infinity.
    if 0 < temperature < 0.01:
        raise ValueError("must be 0 (greedy) or at least 0.01")
    return temperature


Temperature = Annotated[float, Field(ge=0, le=2), AfterValidator(_not_vanishing)]


class CompletionSettings(_Section):
    """Ghost text while you type."""

    enabled: bool = Field(True, description="Whether completions are offered at all.")
    max_tokens: int = Field(64, ge=1, le=1024, description="Longest suggestion, in tokens.")
    prompt: Literal["template", "fim"] = Field(
        "template",
        description="`template` asks in the conversation template with a prefilled answer; `fim` "
        "uses fill-in-the-middle tokens, for models that have them.",
    )
    fim_order: Literal["psm", "spm"] = Field(
        "spm",
        description="Order of the `fim` prompt: prefix-suffix or suffix-prefix. The latter keeps "
        "the KV cache valid while you type.",
    )
    prompt_tokens: Literal["auto"] | int = Field(
        "auto",
        description="Longest prompt, in tokens (64 or more); `auto` is what the engine prefills "
        "in half a second.",
    )
    temperature: Temperature = Field(0.0, description="0 is greedy: always the likeliest token.")

    @field_validator("prompt_tokens")
    @classmethod
    def _enough(cls, value: Literal["auto"] | int) -> Literal["auto"] | int:
        if value != "auto" and not 64 <= value <= 1_000_000:
            raise ValueError("must be `auto` or at least 64")
        return value


class ChatSettings(_Section):
    """Chat and explanations."""

    max_tokens: int = Field(1024, ge=1, le=100_000, description="Longest answer, in tokens.")
    temperature: Temperature = Field(0.7, description="0 is greedy.")
    top_p: float = Field(
        0.9, gt=0, le=1, description="Sample from the likeliest tokens that make up this share."
    )
    system: str = Field(
        "",
        description="Text put in front of the first message. OpenCoder was trained without system "
        "messages, so this is a plain part of your first message.",
    )


class PrivacySettings(_Section):
    """What never reaches a model."""

    exclude: tuple[str, ...] = Field(
        (
            ".env*",
            "*.pem",
            "*.key",
            "*.p12",
            "*.kdbx",
            "id_*",
            ".netrc",
            ".npmrc",
            ".pypirc",
            "credentials*",
            "*.tfstate",
        ),
        description="File names (shell patterns, letter case ignored) that are never sent to a "
        "model.",
        json_schema_extra=_MACHINE,
    )


class Settings(_Section):
    """All settings. Immutable; make changed ones with `load` or `with_client`."""

    model: ModelSettings = ModelSettings()
    engine: EngineSettings = EngineSettings()
    completion: CompletionSettings = CompletionSettings()
    chat: ChatSettings = ChatSettings()
    privacy: PrivacySettings = PrivacySettings()

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
