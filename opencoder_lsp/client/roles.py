"""Which server does what: completions and chat may each have one of their own."""

from collections.abc import Callable
from typing import Literal

from opencoder_lsp.client.connection import Connection, Status
from opencoder_lsp.settings import Settings

Role = Literal["completion", "chat"]
ROLES: tuple[Role, ...] = ("completion", "chat")


def for_role(settings: Settings, role: Role) -> Settings:
    """Return the settings whose `engine.url` is that of the role, which is often the same."""
    url: str = getattr(settings, role).url
    if not url:
        return settings
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"url": url})})


def connections(
    settings: Settings,
    tell: Callable[[Status], None],
    warn: Callable[[str], None],
    *,
    main: Role,
) -> dict[Role, Connection]:
    """
    Return the connection of each role, which is the same where its engine is.

    `tell` hears how that of the role `main` is; the other one's trouble is in its own answers.
    """
    made: dict[str, Connection] = {}
    for role in (main, *ROLES):
        own = for_role(settings, role)
        if own.engine.url not in made:
            hears = tell if role == main else _nobody
            made[own.engine.url] = Connection(own, hears, warn)
    return {role: made[for_role(settings, role).engine.url] for role in ROLES}


def _nobody(_status: Status) -> None:
    """Hear a status that nobody is told."""
