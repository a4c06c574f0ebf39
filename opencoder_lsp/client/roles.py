"""Which server does what: completions and chat may each have one of their own."""

from typing import Literal

from opencoder_lsp.settings import Settings

Role = Literal["completion", "chat"]
ROLES: tuple[Role, ...] = ("completion", "chat")


def for_role(settings: Settings, role: Role) -> Settings:
    """Return the settings whose `engine.url` is that of the role, which is often the same."""
    url: str = getattr(settings, role).url
    if not url:
        return settings
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"url": url})})


def same_engine(settings: Settings) -> bool:
    """Tell whether one engine has all roles."""
    first, *others = (for_role(settings, role).engine.url for role in ROLES)
    return all(url == first for url in others)
