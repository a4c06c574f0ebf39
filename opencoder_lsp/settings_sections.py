"""The sections of the settings and what is in each; how they are read is in `settings`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

_MACHINE: dict[str, Any] = {"scope": "machine"}


def _address(url: str) -> str:
    if url and not url.startswith(("http://", "https://", "unix:/")):
        raise ValueError("must begin with http://, https:// or unix:/")
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class Section(BaseModel):
    """What all sections are: immutable, and without unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSettings(Section):
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


class EngineSettings(Section):
    """The process that holds the model."""

    url: Address = Field(
        "",
        description="An engine elsewhere: `http://host:port` or `unix:/path`, of ours, vLLM or "
        "llama-server. Empty starts and shares one on this machine. Code and conversations are "
        "sent there.",
        json_schema_extra=_MACHINE,
    )
    key_file: str = Field(
        "",
        description="A file that only you can read, with the key of the engine elsewhere, or "
        "with lines `https://host:port KEY` where there are several.",
        json_schema_extra=_MACHINE,
    )
    keyring: bool = Field(
        False,
        description="Whether that key is in the system's keyring, where `keyring set "
        "opencoder-lsp https://host:port` puts it (the port only where it has one).",
        json_schema_extra=_MACHINE,
    )
    ca_file: str = Field(
        "",
        description="A file of certificates (PEM) that are believed at `https://` instead of the "
        "system's.",
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
    quantization: Literal["none", "int8"] = Field(
        "none",
        description="`int8` halves the memory that weights take: they are rounded to one byte each "
        "while they are read; the files stay as they are.",
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

    def of_process(self) -> dict[str, Any]:
        """Return what an engine's process goes by: all but what leads to one elsewhere."""
        return self.model_dump(exclude={"url", "key_file", "keyring", "ca_file"})


def _not_vanishing(temperature: float) -> float:
    # What the engine refuses: logits divided by less than this overflow into infinity.
    if 0 < temperature < 0.01:
        raise ValueError("must be 0 (greedy) or at least 0.01")
    return temperature


Temperature = Annotated[float, Field(ge=0, le=2), AfterValidator(_not_vanishing)]


class CompletionSettings(Section):
    """Ghost text while you type."""

    enabled: bool = Field(True, description="Whether completions are offered at all.")
    url: Address = Field(
        "",
        description="Another engine than `engine.url` for completions.",
        json_schema_extra=_MACHINE,
    )
    model: str = Field(
        "",
        description="Another model than `model.name` for completions, such as the one that runs "
        "at `completion.url`.",
        json_schema_extra=_MACHINE,
    )
    max_tokens: int = Field(64, ge=1, le=1024, description="Longest suggestion, in tokens.")
    lines: Literal["auto", "single", "multi"] = Field(
        "auto", description="`single` line or `multi` (a block); `auto` is what suits the place."
    )
    prompt: Literal["auto", "template", "fim", "prefix"] = Field(
        "auto",
        description="`template` asks in the conversation template with a prefilled answer; `fim` "
        "uses fill-in-the-middle tokens, for models that have them; `prefix` is the bare code "
        "before the cursor, for models that were trained on nothing else; `auto` is the first of "
        "them that the model was trained for.",
    )
    fim_order: Literal["psm", "spm"] = Field(
        "spm",
        description="Order of the `fim` prompt: prefix-suffix or suffix-prefix. The latter keeps "
        "the KV cache valid while you type.",
    )
    healing: bool = Field(
        True,
        description="Whether the model writes the blanks and the partial word left of the cursor "
        "anew, so that no word is cut where it would not cut it; off to compare.",
    )
    context: bool = Field(
        True,
        description="Whether snippets of other files (imported, recently edited, open) go along, "
        "and the imports of a file that is too long for the prompt.",
    )
    prompt_tokens: Literal["auto"] | int = Field(
        "auto",
        description="Longest prompt, in tokens (64 or more); `auto` is what the engine prefills "
        "in half a second.",
    )
    temperature: Temperature = Field(0.0, description="0 is greedy: always the likeliest token.")
    choices: int = Field(
        3, ge=1, le=8, description="Most suggestions to choose from, where you ask for them."
    )
    debounce: Literal["auto"] | int = Field(
        "auto",
        description="Milliseconds that a suggestion waits for your next key; `auto` only waits "
        "while you type faster than the engine answers.",
    )
    ahead: Literal["auto"] | bool = Field(
        "auto",
        description="Whether the engine works before it is asked: on what follows the suggestion "
        "that is shown, and on the prompt where you last typed; `auto` does so on this machine.",
    )

    @field_validator("debounce")
    @classmethod
    def _short(cls, value: Literal["auto"] | int) -> Literal["auto"] | int:
        if value != "auto" and not 0 <= value <= 5000:
            raise ValueError("must be `auto` or 0 to 5000")
        return value

    @field_validator("prompt_tokens")
    @classmethod
    def _enough(cls, value: Literal["auto"] | int) -> Literal["auto"] | int:
        if value != "auto" and not 64 <= value <= 1_000_000:
            raise ValueError("must be `auto` or at least 64")
        return value


class ChatSettings(Section):
    """Chat and explanations."""

    url: Address = Field(
        "",
        description="Another engine than `engine.url` for chat and explanations.",
        json_schema_extra=_MACHINE,
    )
    model: str = Field(
        "",
        description="Another model than `model.name` for chat and explanations, such as the one "
        "that runs at `chat.url`.",
        json_schema_extra=_MACHINE,
    )
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
    code_lens: bool = Field(
        False,
        description="Whether `Explain`, `Document` and `Test` stand above functions and classes.",
    )


class PrivacySettings(Section):
    """What never reaches a model."""

    exclude: tuple[str, ...] = Field(
        (
            *(".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.kdbx", "*.ppk", "id_*"),
            *(".netrc", ".npmrc", ".pypirc", ".pgpass", ".htpasswd", ".git-credentials"),
            *("credentials*", "*.tfstate", ".ssh/", ".gnupg/", ".aws/"),
        ),
        description="File names, and with a final slash names of folders (shell patterns, letter "
        "case ignored), that are never sent to a model.",
        json_schema_extra=_MACHINE,
    )
    remote: Literal["workspace", "any"] = Field(
        "workspace",
        description="Which of the files that you work on may go to an engine on another machine: "
        "`workspace` for those in an open folder that git does not ignore, `any` for all that "
        "`privacy.exclude` and `.opencoderignore` leave.",
        json_schema_extra=_MACHINE,
    )


class StatsSettings(Section):
    """What is remembered of suggestions, for you alone."""

    enabled: bool = Field(
        True,
        description="Whether it is noted on this machine which suggestions were accepted, for "
        "`opencoder-lsp stats`: language, lengths, latency, model and time, never code or paths.",
    )
