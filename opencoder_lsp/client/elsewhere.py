"""Clients of the engines that the settings name: those elsewhere."""

from opencoder_lsp.client.access import access_to
from opencoder_lsp.client.engine import EngineClient, Limits
from opencoder_lsp.settings import Settings


def remote_client(url: str, settings: Settings, limits: Limits | None = None) -> EngineClient:
    """Return a client of the engine at `url`; raises SettingsError for an unfit file of keys."""
    patient = not url.startswith("unix:")
    access, model = access_to(url, settings), settings.model.name
    return EngineClient(url, limits=limits, access=access, patient=patient, model=model)
