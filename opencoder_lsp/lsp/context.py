"""
What goes along from other files: gathered beside the requests, chosen when it costs nothing.

A request takes what is ready. It is chosen anew only where the prompt changes anyway (the cursor
is at another place) or the user has rested, so that typing leaves the front of the prompt, and
with it what the engine has computed, as it is.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lsprotocol import types

from opencoder_lsp.errors import describe
from opencoder_lsp.lsp.documents import Document, Documents
from opencoder_lsp.lsp.edits import Places, with_changes
from opencoder_lsp.lsp.folders import WorkspaceFolders
from opencoder_lsp.lsp.gathering import LARGEST, Job, OpenText, gather
from opencoder_lsp.lsp.notebooks import Notebooks
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.context import Material, related
from opencoder_lsp.prompt.snippets import Snippet
from opencoder_lsp.settings import Settings

log = logging.getLogger(__name__)

PERIOD = 1.0  # seconds from one gathering to the next, at least
PAUSE = 1.0  # seconds after which the user counts as resting
_MOST_OTHERS = 24  # documents that are looked at


@dataclass
class _State:
    """A document for which something was asked; `below` tells one place from another."""

    material: Material | None = None
    chosen: tuple[Snippet, ...] | None = None
    below: int = -1  # characters from the end of the cursor's line on
    asked: float = 0.0  # by the clock


class Context:
    """
    The snippets for every open document; to be used on the event loop.

    `documents` and `settings` give what is in force now, `clock` seconds.
    """

    def __init__(
        self,
        documents: Callable[[], Documents],
        notebooks: Notebooks,
        folders: WorkspaceFolders,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents = documents
        self._notebooks = notebooks
        self._folders = folders
        self._settings = settings
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._edits: dict[str, Places] = {}  # of what is open; what was used last is the last
        self._texts: dict[str, tuple[int, str]] = {}  # by version
        self._wanted = ""  # the document to gather for next
        self._started = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def is_gathering(self) -> bool:
        """Whether something is being gathered, or will be without another request."""
        return not self._settled.is_set()

    async def settled(self) -> None:
        """Wait until nothing is being gathered, nor will be without another request."""
        await self._settled.wait()

    def snippets(self, uri: str, place: Place) -> tuple[Snippet, ...]:
        """Return at once what is ready for a place in an open document, best first."""
        if not self._settings().completion.context:
            return ()
        state = self._states.setdefault(uri, _State())
        line_end = place.suffix.find("\n")
        below = len(place.suffix) - line_end if line_end >= 0 else 0
        now = self._clock()
        rested = now - state.asked > PAUSE
        if state.material is not None and (state.chosen is None or below != state.below or rested):
            before = state.chosen or ()
            state.chosen = related(state.material, place.prefix, place.suffix, before)
        state.below, state.asked = below, now
        self._use(uri)
        return state.chosen or ()

    def opened(self, uri: str) -> None:
        """Note that a document was opened: what belongs to it is gathered at once."""
        self.closed(uri)
        self._use(uri, at_once=True)

    def changed(self, uri: str, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """Note that a document was edited; one that is not open does not matter."""
        if self._documents().get(uri) is None:
            return
        self._edits[uri] = with_changes(self._edits.get(uri, ()), changes)
        self._use(uri)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        for known in (self._states, self._texts, self._edits):
            known.pop(uri, None)

    def close(self) -> None:
        """Gather no more."""
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()
        self._settled.set()

    def _use(self, uri: str, *, at_once: bool = False) -> None:
        self._edits[uri] = self._edits.pop(uri, ())
        self._wanted = uri
        if at_once:
            self._stop_timer()
            self._started = float("-inf")
        if self._timer is None and self._task is None:
            self._start_timer()

    def _start_timer(self) -> None:
        self._settled.clear()
        wait = max(0.0, self._started + PERIOD - self._clock())
        self._timer = asyncio.get_running_loop().call_later(wait, self._start)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = None
        document = self._documents().get(self._wanted)
        if document is None or not self._settings().completion.context:
            self._settled.set()
            return
        self._started = self._clock()
        job = self._job(document)
        self._wanted = ""
        self._task = asyncio.create_task(self._gather(document.uri, job))

    async def _gather(self, uri: str, job: Job) -> None:
        try:
            material = await asyncio.to_thread(gather, job)
        except Exception as error:  # boundary: without snippets, a completion is still one
            log.error("gathering snippets failed: %s", describe(error))
        else:
            if self._documents().get(uri) is not None:
                self._states.setdefault(uri, _State()).material = material
        finally:
            self._task = None
        if self._wanted:  # something was used meanwhile
            self._start_timer()
        else:
            self._settled.set()

    def _job(self, document: Document) -> Job:
        own = self._notebooks.owner(document.uri)
        uris = (uri for uri in reversed(self._edits) if self._notebooks.owner(uri) != own)
        opened = (self._documents().get(uri) for uri in uris)
        others = [other for other in opened if other is not None and other.size <= LARGEST]
        file = self._open_text(document)
        return Job(
            replace(file, text=self._notebooks.whole(document)) if own != document.uri else file,
            tuple(self._open_text(other) for other in others[:_MOST_OTHERS]),
            tuple(self._folders.paths),
            self._settings(),
        )

    def _open_text(self, document: Document) -> OpenText:
        version, text = self._texts.get(document.uri, (None, ""))
        if version != document.version:
            text = document.text
            self._texts[document.uri] = document.version, text
        owner = self._notebooks.owner(document.uri)
        return OpenText(
            self._folders.file_path(owner),
            self._folders.shown_path(owner),
            document.language,
            text,
            self._edits.get(document.uri, ()),
        )
