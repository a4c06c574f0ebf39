"""
Filling the engine's memory with the prompt that is most likely wanted next, before it is.

That is where somebody last typed, once they rest there without asking for a suggestion, and where
they last were in a file that is opened, which is its start as long as nobody was there. Only the
latest of these places counts; a request takes its turn at once.
"""

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from opencoder_lsp.errors import OpencoderError, describe
from opencoder_lsp.lsp.documents import Document, Spot
from opencoder_lsp.lsp.inline_completion import place_of
from opencoder_lsp.lsp.waiting import Timers
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.privacy import engines, is_remote

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

REST = 0.5  # seconds
_REMEMBERED = 200  # documents


class Ahead:
    """What a server does before it is asked; `rest` is in seconds."""

    def __init__(self, ls: "Server", rest: float = REST) -> None:
        self._ls = ls
        self._rest = rest
        self._spots = OrderedDict[str, Spot]()  # by URI, the latest last
        self._timers = Timers()
        self._warming: asyncio.Task[None] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether the engine is there, and may be asked for what nobody has asked for yet."""
        if self._ls.connection.status.kind != "ready":
            return False  # and is not to be started for this
        settings = self._ls.configuration.settings
        if settings.completion.ahead == "auto":
            return not is_remote(engines(settings)[0])
        return settings.completion.ahead

    def opened(self, document: Document) -> None:
        """Note that a document was opened."""
        self._go(document.uri, self._spots.get(document.uri, Spot(0, 0)))
        self._begin_rest()

    def changed(self, document: Document) -> None:
        """Note that a document was changed."""
        self._go(document.uri, document.edited)
        self._begin_rest()

    def asked(self, document: Document, spot: Spot) -> None:
        """Note a request, which is to meet nobody on its way."""
        self._go(document.uri, spot)
        self.stop()

    def ready(self) -> None:
        """Note that there is an engine now."""
        if self._spots:
            self._begin_rest()

    def stop(self) -> None:
        """Do nothing more for now."""
        self._timers.stop("rest")
        if self._warming is not None:
            self._warming.cancel()
            self._warming = None

    def _go(self, uri: str, spot: Spot) -> None:
        self._spots[uri] = spot
        self._spots.move_to_end(uri)
        while len(self._spots) > _REMEMBERED:
            self._spots.popitem(last=False)

    def _begin_rest(self) -> None:
        self.stop()
        self._timers.start("rest", self._rest, self._warm)

    def _warm(self) -> None:
        uri, spot = next(reversed(self._spots.items()))
        document = self._ls.documents.get(uri)
        if document is None or not self.is_wanted:
            return
        place = place_of(self._ls, document, document.nearest(spot), tell=False)
        if place is not None and not self._ls.session_of(uri).knows(place):
            self._warming = self._ls.protocol.run_in_background(self._ask(uri, place))

    async def _ask(self, uri: str, place: Place) -> None:
        try:
            await self._ls.source_of(uri).warm(place)
        except OpencoderError as error:
            log.info("the engine's memory was not filled: %s", describe(error))
