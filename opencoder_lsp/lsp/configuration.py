"""The settings in force: the process's own, changed by what the editor sent."""

from collections.abc import Callable, Mapping
from typing import Any

from opencoder_lsp.settings import Settings

SECTION = "opencoder"


class Configuration:
    """
    Settings from `initializationOptions` and, over these, from `workspace/configuration`.

    `warn` gets each thing that is refused. `settings` never has anything of scope "machine" from
    the editor.
    """

    def __init__(self, own: Settings, warn: Callable[[str], None]) -> None:
        self.settings = own
        self.status_notifications = False
        self.warnings: list[str] = []
        self._own = own
        self._warn = warn
        self._initial: Any = None
        self._pulled: Any = None

    def initialize(self, options: object) -> None:
        """Take `initializationOptions`: `{settings: {…}, statusNotifications: bool}` or null."""
        if options is None:
            return
        if not isinstance(options, Mapping):
            self._note(["initializationOptions must be an object"])
            return
        unknown = sorted(set(map(str, options)) - {"settings", "statusNotifications"})
        if unknown:
            self._note(
                [
                    f"unknown initializationOptions: {', '.join(unknown)[:200]}; known: settings, "
                    "statusNotifications"
                ]
            )
        self.status_notifications = options.get("statusNotifications") is True
        self._initial = options.get("settings")
        self._update()

    def change(self, section: object) -> None:
        """Take the section `opencoder` of the editor's configuration."""
        self._pulled = section
        self._update()

    def _update(self) -> None:
        settings, first = self._own.with_client(self._initial)
        self.settings, second = settings.with_client(self._pulled)
        self._note([*first, *second])

    def _note(self, warnings: list[str]) -> None:
        self.warnings += [text for text in warnings if text not in self.warnings]
        for text in warnings:
            self._warn(text)
