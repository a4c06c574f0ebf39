"""Which engine does what: completions and chat may each have a server and a model of their own."""

from collections.abc import Callable
from typing import Literal

from opencoder_lsp.client.connection import Connection, Status
from opencoder_lsp.settings import ModelSettings, Settings
from opencoder_lsp.settings_sections import Section

Role = Literal["completion", "chat"]
ROLES: tuple[Role, ...] = ("completion", "chat")


def for_role(settings: Settings, role: Role) -> Settings:
    """
    Return the settings whose `engine.url` and `model.name` are those of the role.

    A model of its own comes with its own template.
    """
    own = settings.completion if role == "completion" else settings.chat
    changes: dict[str, Section] = {}
    if own.url:
        changes["engine"] = settings.engine.model_copy(update={"url": own.url})
    if own.model:
        changes["model"] = ModelSettings(name=own.model)
    return settings.model_copy(update=changes)


def by_engine(settings: Settings) -> list[tuple[tuple[Role, ...], Settings]]:
    """Return each engine once, by the roles that it has, with the settings that lead to it."""
    found: list[tuple[tuple[Role, ...], Settings]] = []
    for role in ROLES:
        own = for_role(settings, role)
        if found and _leads(found[0][1]) == _leads(own):
            return [(ROLES, own)]
        found.append(((role,), own))
    return found


def called(roles: tuple[Role, ...]) -> str:
    """Return what the engine of these roles is called, for people."""
    return f"{roles[0]} engine" if len(roles) == 1 else "engine"


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
    made: dict[Role, Connection] = {}
    for roles, own in by_engine(settings):
        connection = Connection(own, tell if main in roles else _nobody, warn)
        made |= dict.fromkeys(roles, connection)
    return made


def _leads(own: Settings) -> tuple[str, ModelSettings]:
    return own.engine.url, own.model


def _nobody(_status: Status) -> None:
    """Hear a status that nobody is told."""
