"""
The suggestion session of a document: one engine stream that may outlive the request it was for.

VS Code cancels a request before each new one, Neovim sends new ones without cancelling, and most
keys only type what the model is about to say. So the stream belongs to the document:

* A request is answered when the suggestion is complete; with None at once when a newer request or
  an edit has come, even while it waits for an engine; and not at all (it raises CancelledError)
  when it is cancelled.
* The stream goes on while the text typed since its start agrees with what it produces, and the
  next request takes it over. It is closed when an edit contradicts it, when the document is closed
  or no longer wanted, and when nobody has taken it over for 250 ms.
* A complete suggestion is kept, so typing along it, or coming back to it, needs no engine.
* What would follow an accepted suggestion is made while that is shown, and kept likewise.
"""

import asyncio
import logging
from dataclasses import replace

from opencoder_lsp.errors import describe
from opencoder_lsp.lsp.generation import Generation, Source, sampled
from opencoder_lsp.lsp.habits import Habits, Request, Wish
from opencoder_lsp.lsp.results import Known, Results
from opencoder_lsp.lsp.typed import is_between
from opencoder_lsp.lsp.waiting import Timers, unless
from opencoder_lsp.prompt.completion import Place

log = logging.getLogger(__name__)


class Session:
    """The session of one document."""

    def __init__(self, source: Source, habits: Habits | None = None) -> None:
        self._source = source
        self._habits = habits or Habits()
        self._results = Results()
        self._request: Request | None = None
        self._generation: Generation | None = None
        self._prepared: Generation | None = None
        self._shown: Place | None = None  # where the suggestion is that `_prepared` follows
        self._timers = Timers()

    @property
    def is_empty(self) -> bool:
        """Whether there is no request and no stream, so that no edit matters."""
        return self._request is None and self._generation is None and self._prepared is None

    @property
    def is_working(self) -> bool:
        """Whether a stream is open that a request has asked for."""
        return self._generation is not None

    async def suggest(self, place: Place, wish: Wish | None = None) -> list[str] | None:
        """
        Return what to insert at `place`, the likeliest first and all different.

        The list is empty where there is nothing to suggest; None is for a request that is outdated.
        Raises what the source and `ready` raise.
        """
        self._supersede()
        answer: asyncio.Future[list[str] | None] = asyncio.get_running_loop().create_future()
        request = self._request = Request(place, wish or Wish(), answer)
        self._habits.pace.asked()
        self._timers.stop("grace")
        try:
            await self._pursue(request)
            return await answer
        finally:
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, so that asyncio does not complain of one not raised here
            if self._request is request:  # it was cancelled, or there is no engine
                self._take_request()
                self._habits.tally.count("outdated")
                request.cancel()
                self._let_wait()

    def changed(self, text: str) -> None:
        """Note that the document has now this text."""
        self._supersede()
        generation, prepared = self._generation, self._prepared
        if generation is not None:
            if generation.virtual or generation.fits(text):
                self._let_wait()
            else:
                self._drop()
        if prepared is not None and not self._leads_to(prepared, text):
            self._drop_prepared()

    def shown_as(self, place: Place, text: str) -> None:
        """Note what the likeliest suggestion at a place is shown as: that is what users type."""
        known = self._results.get(place)
        if known is not None:
            self._results.put(place, replace(known, shown=text))

    def prepare(self, shown: Place, accepted: Place) -> None:
        """
        Make, and keep, the suggestion behind one that is shown at a place.

        `accepted` is the place once that is accepted. It is given up when an edit, or a request
        that needs the engine, makes it unlikely that somebody will ask there.
        """
        if self._prepared is not None and self._prepared.place == accepted:
            return
        self._drop_prepared()
        if not self.is_working and self._results.get(accepted) is None:
            self._shown = shown
            self._prepared = Generation(accepted, self._source, self._on_stream, ahead=True)

    def knows(self, place: Place) -> bool:
        """Return whether a request at a place would need no new stream."""
        return self._results.get(place) is not None or self._stream_for(place) is not None

    def close(self) -> None:
        """End the streams and answer what waits: nothing is wanted here any more."""
        self._supersede()
        self._drop()
        self._drop_prepared()

    # From a request to its answer.

    async def _pursue(self, request: Request) -> None:
        """See to it that the request is going to be answered; it may be superseded meanwhile."""
        known = self._results.get(request.place)
        if known is not None:
            self._drop()  # it is for some other place
            self._know(request, known)
            return
        stream = self._stream_for(request.place)
        if stream is None:
            self._drop()
            self._drop_prepared()
            await self._wait(request)
            if request.answer.done():
                return
            self._start(request)
        else:
            request.how = "joined"
            if stream is self._prepared:
                self._drop()
                self._generation, self._prepared = stream, None
        self._advance()

    async def _wait(self, request: Request) -> None:
        """Wait before an engine is asked, until the request is outdated at the latest."""
        wish = request.wish
        delay = 0.0 if wish.invoked else self._habits.pace.delay(self._habits.debounce())
        if delay:
            await unless(request.answer, asyncio.sleep(delay))
        if wish.ready is not None and not request.answer.done():
            await unless(request.answer, wish.ready())

    def _know(self, request: Request, known: Known) -> None:
        """Answer with a result, or with that and further choices."""
        request.first = known.texts[0]
        if request.wish.choices == 1 or known.several:
            self._answer(request, known.texts[: request.wish.choices])
        else:
            self._answer_several(request)

    def _stream_for(self, place: Place) -> Generation | None:
        """Return an open stream whose suggestion fits there, so far."""
        for generation in (self._generation, self._prepared):
            if generation is not None and generation.rest(place) is not None:
                return generation
        return None

    def _start(self, request: Request) -> None:
        self._drop()
        request.how = "opened"
        self._generation = Generation(
            request.place,
            self._source,
            self._on_stream,
            on_first=self._habits.pace.answered,
            virtual=request.wish.virtual,
        )

    def _on_stream(self, generation: Generation) -> None:
        """Look at a stream that has something new."""
        if generation is self._prepared:
            if generation.complete:
                self._prepared = None
                self._keep(generation)
        elif generation is self._generation:
            self._advance()

    def _keep(self, generation: Generation) -> None:
        if generation.error is None:
            self._results.put(generation.place, Known((generation.text,)))
        elif self._request is None or generation.ahead:
            log.info("a stream that nobody waited for failed: %s", describe(generation.error))

    def _advance(self) -> None:
        """Give the request that waits what there is for it now."""
        request, generation = self._request, self._generation
        if generation is None:
            return
        if generation.complete:
            self._timers.stop("grace", "stall")
            self._generation = None
            self._keep(generation)
        if request is None or request.first is not None:
            return
        if generation.error is not None:
            if generation.ahead:  # that was not the request's own
                self._start(request)
            else:
                self._take_request()
                request.fail(generation.error)
            return
        rest = generation.rest(request.place)
        if rest is None:  # what was typed ahead turned out to be something else
            self._start(request)
        elif generation.complete:
            request.first = rest
            self._answer_several(request)
        else:
            self._report(request, generation, rest)

    def _report(self, request: Request, generation: Generation, rest: str) -> None:
        """Say what there is so far."""
        if generation.ahead:
            self._timers.start("stall", self._habits.patience.stall, lambda: self._start(request))
        if request.wish.on_text is not None and rest:
            request.wish.on_text(rest)
        if generation.text:
            self._draw_others(request)

    def _draw_others(self, request: Request) -> None:
        """Begin with further choices: only now, since the prompt they share is computed."""
        count = request.wish.choices - 1
        if count and request.others is None:
            request.others = asyncio.create_task(sampled(self._source, request.place, count))
            request.others.add_done_callback(lambda _task: self._answer_several(request))

    def _answer_several(self, request: Request) -> None:
        """Answer once the first and all other choices are there."""
        if request.first is None or self._request is not request:
            return
        self._draw_others(request)
        if request.others is None:
            self._answer(request, (request.first,))
        elif request.others.done():
            drawn = _drawn(request.others)
            texts = tuple(dict.fromkeys(text for text in [request.first, *drawn] if text))
            if drawn:
                self._results.put(request.place, Known(texts or ("",), several=True))
            self._answer(request, texts)
        else:
            first = (request.first,)
            patience = self._habits.patience.others
            self._timers.start("others", patience, lambda: self._answer(request, first))

    def _answer(self, request: Request, texts: tuple[str, ...]) -> None:
        if request.others is not None:
            request.how = "opened"
        self._habits.tally.count(request.how)
        self._take_request()
        request.resolve([text for text in texts if text])

    # Ends.

    def _supersede(self) -> None:
        request = self._take_request()
        if request is not None:
            self._habits.tally.count("outdated")
            request.resolve(None)

    def _take_request(self) -> Request | None:
        request, self._request = self._request, None
        self._timers.stop("stall", "others")
        return request

    def _drop(self) -> None:
        self._timers.stop("grace", "stall")
        if self._generation is not None:
            self._generation.close()
            self._generation = None

    def _leads_to(self, prepared: Generation, text: str) -> bool:
        """Return whether somebody may still ask for what is prepared, given the document's text."""
        shown = self._shown
        on_the_way = shown is not None and is_between(shown, prepared.place, text)
        return on_the_way or prepared.fits(text)

    def _drop_prepared(self) -> None:
        if self._prepared is not None:
            self._prepared.close()
            self._prepared = None

    def _let_wait(self) -> None:
        """Close the stream unless somebody takes it over in time."""
        if self.is_working:
            self._timers.start("grace", self._habits.patience.grace, self._drop)


def _drawn(others: asyncio.Task[list[str]]) -> list[str]:
    """Return what was drawn; nothing where that failed."""
    if others.cancelled():
        return []
    if (error := others.exception()) is not None:
        log.info("further choices cannot be had: %s", describe(error))
        return []
    return others.result()
