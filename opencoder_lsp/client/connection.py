"""
A front's connection to the engine, with what makes prompts for it: tokenizer and template.

Nothing is imported or read before it is wanted, so the answer to `initialize` waits for nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from opencoder_lsp.errors import EngineUnavailableError, OpencoderError, describe
from opencoder_lsp.settings import Settings

if TYPE_CHECKING:
    from opencoder_lsp.client.engine import Completer, EngineClient, Health
    from opencoder_lsp.client.launcher import Launcher
    from opencoder_lsp.models.registry import Model
    from opencoder_lsp.prompt.completion import Mode
    from opencoder_lsp.prompt.conversation import Template
    from opencoder_lsp.prompt.tokenizer import Tokenizer

log = logging.getLogger(__name__)

_PATIENCE = 0.3  # seconds that a completion waits for a connection which should be there
_RETRY = 1.0  # seconds after a failure in which completions do not try again
_PROMPT_TOKENS = 1024  # for an engine that does not say what it prefills in half a second

GONE = "the engine has stopped; the next request finds or starts one"


class NotNowError(EngineUnavailableError):
    """There is no engine yet; somebody who types should not be told."""


@dataclass(frozen=True)
class Status:
    """How it is, for people; `percent` only while the model is loaded and only if it is known."""

    kind: Literal["loading", "ready", "error"]
    message: str
    percent: int | None = None


@dataclass(frozen=True)
class Engine:
    """An engine that is ready; `context_length` and `prompt_tokens` are in tokens."""

    client: "Completer"
    tokenizer: "Tokenizer"
    template: "Template"
    stop_ids: list[int]
    context_length: int
    prompt_tokens: int  # what it prefills in half a second


@dataclass(frozen=True)
class _Prepared:
    """What is known before the engine answers."""

    launcher: "Launcher"
    model: "Model"
    tokenizer: "Tokenizer"
    template: "Template"
    stop_ids: list[int]


class Connection:
    """
    Connects when first asked, and again when the engine has gone. `tell` gets each new status,
    `warn` what the user should know of an engine that others have started.

    Errors are those of `opencoder_lsp.client.launcher.Launcher` and of loading a tokenizer, and
    EngineUnavailableError for whatever else keeps us from getting there.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[Status], None],
        warn: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._warn = warn
        self._prepared: _Prepared | None = None
        self._spoken: tuple[EngineClient, Completer] | None = None  # an engine, how it is asked
        self._connecting: asyncio.Task[Engine] | None = None
        self._failed_at = float("-inf")  # time.monotonic()
        self.status = Status("loading", "not connected yet")

    @property
    def health(self) -> "Health | None":
        """What the engine said last."""
        return self._prepared.launcher.health if self._prepared else None

    def mode(self, wanted: "Mode") -> "Mode":
        """Return how completions are asked for; what "auto" means is known with the model."""
        from opencoder_lsp.prompt.completion import chosen

        prepared = self._prepared
        return chosen(wanted, prepared.tokenizer, prepared.template) if prepared else wanted

    @property
    def model(self) -> "Model | None":
        """The model in use, once it is known."""
        return self._prepared.model if self._prepared else None

    async def engine(self) -> Engine:
        """Return an engine that is ready, waiting for it to start and load if need be."""
        task = self._connect()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise EngineUnavailableError("the engine is being restarted") from None
            raise

    async def engine_at_once(self) -> Engine:
        """
        Return an engine if one is there, else connect in the background.

        Raises NotNowError while it loads, and the error of an attempt that failed, of which there
        is at most one a second.
        """
        if self.status.kind == "error" and time.monotonic() - self._failed_at < _RETRY:
            raise NotNowError("the last attempt to reach the engine has just failed")
        loading = self.status.kind == "loading"
        task = self._connect()
        if not loading:
            await asyncio.wait({task}, timeout=_PATIENCE)
        if not task.done():
            raise NotNowError("the engine is loading")
        return await self.engine() if task.cancelled() else task.result()

    async def restart(self) -> None:
        """End this machine's engine and start a new one; an engine elsewhere is reconnected to."""
        prepared, self._prepared = self._prepared, None
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        if prepared is not None:
            await prepared.launcher.restart()
        self._say(Status("loading", "restarting the engine"))
        await self.engine()

    async def close(self) -> None:
        """Let the engine go; it lives on for others."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._prepared is not None:
            await self._prepared.launcher.stop()

    def _connect(self) -> asyncio.Task[Engine]:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._attach())
            self._connecting.add_done_callback(_seen)
        return self._connecting

    async def _attach(self) -> Engine:
        try:
            if self._prepared is None:
                self._prepared = await asyncio.to_thread(_prepare, self._settings, self._warn)
            prepared = self._prepared
            prepared.launcher.on_change = self._on_change
            client = await prepared.launcher.client(self._on_health)
            completer = await self._completer(client, prepared)
        except OpencoderError as error:
            self._failed_at = time.monotonic()
            self._say(Status("error", str(error)))
            raise
        except Exception as error:  # boundary: else the status would be "loading" for ever
            self._failed_at = time.monotonic()
            message = f"connecting to the engine failed: {describe(error)}"
            log.error("%s", message)
            self._say(Status("error", message))
            raise EngineUnavailableError(message) from error
        health = prepared.launcher.health
        self._say(Status("ready", f"{prepared.model.name} is ready{_place(client)}"))
        context_length = prepared.model.manifest.context_length
        return Engine(
            completer,
            prepared.tokenizer,
            prepared.template,
            prepared.stop_ids,
            (health and health.context_length) or context_length,
            (health and health.prompt_tokens_auto) or _PROMPT_TOKENS,
        )

    async def _completer(self, client: "EngineClient", prepared: _Prepared) -> "Completer":
        """Return how the engine is asked, found out once for each connection to it."""
        if client.server is None:
            return client
        if self._spoken is None or self._spoken[0] is not client:
            from opencoder_lsp.client.vocabulary import speaking

            tokenizer, stop_ids = prepared.tokenizer, prepared.stop_ids
            completer, doubt = await speaking(client, tokenizer, stop_ids)
            if doubt:
                self._warn(doubt)
            self._spoken = client, completer
        return self._spoken[1]

    def _on_change(self, health: "Health | None") -> None:
        """Say so when an engine that was ready is so no more, though nobody wants it just now."""
        if self.status.kind != "ready":
            return
        if health is None or health.state == "draining":
            self._say(Status("error", GONE))
        elif health.state == "error":
            self._say(Status("error", health.cause or "the engine has failed"))

    def _on_health(self, health: "Health") -> None:
        if health.state == "loading":
            percent = round(100 * min(1.0, max(0.0, health.progress)))
            name = health.model or "the model"
            self._say(Status("loading", f"loading {name}", percent))

    def _say(self, status: Status) -> None:
        if status != self.status:
            self.status = status
            self._tell(status)


def _prepare(settings: Settings, warn: Callable[[str], None]) -> _Prepared:
    """Import and read what the first prompt needs; takes a while, so it runs in a thread."""
    import aiohttp  # noqa: F401  (so that the first request does not import it on the event loop)

    from opencoder_lsp.client.launcher import Launcher
    from opencoder_lsp.prompt.conversation import TEMPLATES, stop_ids
    from opencoder_lsp.prompt.tokenizer import Tokenizer

    launcher = Launcher(settings, warn=warn)
    model = launcher.model()
    tokenizer = Tokenizer.load(model.folder)
    template = TEMPLATES[model.template]
    return _Prepared(launcher, model, tokenizer, template, stop_ids(template, tokenizer))


def _place(client: "EngineClient") -> str:
    """Say where code goes, if it is not our own engine's."""
    if client.url.startswith("unix:") and client.server is None:
        return ""
    kind = f" ({client.server.name})" if client.server is not None else ""
    return f" at {client.http.where}{kind}"


def _seen(task: asyncio.Task[Engine]) -> None:
    """Look at a task's error, so that asyncio does not complain where nobody waits any more."""
    if not task.cancelled():
        task.exception()
