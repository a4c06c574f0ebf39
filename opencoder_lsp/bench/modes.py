"""The ways to ask that `opencoder-lsp bench quality` compares, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from opencoder_lsp.errors import SettingsError
from opencoder_lsp.prompt.conversation import Template
from opencoder_lsp.prompt.layouts import FIM_TOKENS
from opencoder_lsp.prompt.tokenizer import Tokenizer

LAYOUTS = ("prefix", "template", "fim-psm", "fim-spm")
BASE = "prefix"
DEFAULT = (
    "prefix",
    "prefix+healing",
    "template",
    "template+context",
    "template+healing",
    "template+healing+context",
    "fim-psm+healing",
    "fim-spm+healing",
)


@dataclass(frozen=True, slots=True)
class Mode:
    """A layout of the prompt, and what goes with it; the name says it all."""

    layout: str
    healing: bool
    context: bool

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read `template+healing+context`; SettingsError for what is no mode."""
        layout, *options = name.strip().split("+")
        if layout not in LAYOUTS or not {*options} <= {"healing", "context"}:
            raise SettingsError(
                f"{name!r} is no mode; one is {', '.join(LAYOUTS[:-1])} or {LAYOUTS[-1]}, with "
                "+healing and +context behind it"
            )
        return cls(layout, "healing" in options, "context" in options)

    @property
    def name(self) -> str:
        """The mode in words."""
        options = {"+healing": self.healing, "+context": self.context}
        return self.layout + "".join(option for option, wanted in options.items() if wanted)

    @property
    def base(self) -> str:
        """The bare prefix whose prompts end where this mode's do."""
        return "prefix+healing" if self.healing else "prefix"

    def settings(self) -> list[str]:
        """Return the settings that make it, as for `--set`."""
        prompt, _, order = self.layout.partition("-")
        pairs = [
            f"completion.prompt={prompt}",
            f"completion.healing={str(self.healing).lower()}",
            f"completion.context={str(self.context).lower()}",
        ]
        return [*pairs, f"completion.fim_order={order}"] if order else pairs


def usable(
    names: Sequence[str], tokenizer: Tokenizer, template: Template
) -> tuple[list[Mode], list[str]]:
    """
    Return the modes that a model's vocabulary and template can write, and a line for each other.

    The bare prefix is always the first: it is what the others are compared with. Raises
    SettingsError for a name that is no mode.
    """
    wanted = dict.fromkeys([BASE, *(Mode.parse(name).name for name in names)])
    has_fim = all(map(tokenizer.has_control, FIM_TOKENS))
    modes, missing = list[Mode](), list[str]()
    for mode in map(Mode.parse, wanted):
        if mode.layout.startswith("fim") and not has_fim:
            missing.append(f"{mode.name}: this model's vocabulary has no fill-in-the-middle tokens")
        elif mode.layout == "template" and not template.eot:
            missing.append(f"{mode.name}: this model has no conversation template")
        else:
            modes.append(mode)
    return modes, missing
