"""What the suggestion sessions of a server have in common, and what a request wants of one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from opencoder_lsp.lsp.pace import Debounce, Pace
from opencoder_lsp.prompt.completion import Place

OnText = Callable[[str], None]
Ready = Callable[[], Awaitable[object]]
How = Literal["known", "joined", "opened", "outdated"]


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that are waited, whatever the machine."""

    grace: float = 0.25  # of a stream for the next request
    stall: float = 0.3  # of a request for the next piece of a stream that makes way for others
    others: float = 1.5  # for further choices, once the first is there


@dataclass
class Tally:
    """
    How requests were answered since the start.

    `known` ones needed no engine, `joined` ones got the stream of an earlier request or one that
    was prepared, `opened` ones got their own; `outdated` ones were superseded or cancelled before.
    """

    known: int = 0
    joined: int = 0
    opened: int = 0
    outdated: int = 0

    def count(self, how: How) -> None:
        """Count one request."""
        setattr(self, how, getattr(self, how) + 1)


@dataclass(frozen=True)
class Habits:
    """What sessions have in common; `debounce` gives the setting's value of the moment."""

    pace: Pace = field(default_factory=Pace)
    debounce: Callable[[], Debounce] = lambda: "auto"
    tally: Tally = field(default_factory=Tally)
    patience: Patience = Patience()


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What a request wants at a place.

    `on_text` gets the whole suggestion so far each time it grows. A new stream is opened only
    after `ready` has been awaited. `invoked` is whether the user asked for it, and does not just
    type; `choices` how many different suggestions are wanted. `virtual` says that the document has
    not the text of the place: it would, if the selected item of the editor's list were accepted.
    """

    on_text: OnText | None = None
    ready: Ready | None = None
    invoked: bool = False
    choices: int = 1
    virtual: bool = False


@dataclass(eq=False)
class Request:
    """
    The request that waits: where it is, and what it gets.

    `first` is the likeliest suggestion, once it is known; `others` are being made for it.
    """

    place: Place
    wish: Wish
    answer: asyncio.Future[list[str] | None]
    how: How = "known"
    first: str | None = None
    others: asyncio.Task[list[str]] | None = None

    def resolve(self, texts: list[str] | None) -> None:
        """Answer it, unless that has been done."""
        if not self.answer.done():
            self.answer.set_result(texts)
        self._leave()

    def fail(self, error: Exception) -> None:
        """Let it end with an error, unless it was answered."""
        if not self.answer.done():
            self.answer.set_exception(error)
        self._leave()

    def cancel(self) -> None:
        """End what is made for it, since nobody waits any more."""
        self.answer.cancel()
        self._leave()

    def _leave(self) -> None:
        if self.others is None:
            return
        if not self.others.done():
            self.others.cancel()
        elif not self.others.cancelled():
            self.others.exception()  # seen, so that asyncio does not complain
