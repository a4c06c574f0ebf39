"""
What becomes of suggestions: which one an answer belongs to, and what the client says of it.

The record is written by a thread of its own, so no request waits for a disk. A record that cannot
be used is logged once, and nothing is noted from then on.
"""

import logging
import queue
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.lsp.arguments import PartlyAcceptedParams, ShownParams, read
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.stats import Offer, Record

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

DID_SHOW = "textDocument/didShowCompletion"
DID_ACCEPT_PART = "textDocument/didPartiallyAcceptCompletion"
_REMEMBERED = 16  # suggestions of a document
_Note = Callable[[Record], None]


@dataclass(slots=True)
class _Offered:
    """A suggestion of a document: its id, and the characters that it would still insert."""

    id: str
    left: int


class Acceptance:
    """What one window knows of its suggestions."""

    def __init__(self, enabled: Callable[[], bool], record: Record | None = None) -> None:
        """`enabled` says whether anything is to be noted now."""
        self._enabled = enabled
        self._record = record or Record()
        self._window = uuid.uuid4().hex
        # By document, and by what its text would be with the suggestion, as a hash.
        self._offered: dict[str, dict[int, _Offered]] = {}
        self._notes = queue.SimpleQueue[_Note | None]()
        self._writer: threading.Thread | None = None

    def offer(
        self, uri: str, place: Place, text: str, *, mode: str, model: str, seconds: float
    ) -> str:
        """
        Return the id of a suggestion, the same while the user types along it; note a new one.

        `text` is what it inserts at `place`.
        """
        offered = self._offered.setdefault(uri, {})
        whole = hash((place.prefix + text, place.suffix))
        if known := offered.get(whole):
            known.left = len(text)
            return known.id
        while len(offered) >= _REMEMBERED:
            del offered[next(iter(offered))]
        new = offered[whole] = _Offered(uuid.uuid4().hex, len(text))
        offer = Offer(
            id=new.id,
            window=self._window,
            language=place.language,
            mode=mode,
            model=model,
            characters=len(text),
            lines=text.count("\n") + 1,
            seconds=seconds,
        )
        self._note(lambda record: record.offered(offer))
        return new.id

    def forget(self, uri: str) -> None:
        """Forget a document that is closed."""
        self._offered.pop(uri, None)

    def shown(self, id: str) -> None:
        """Note that the client shows a suggestion."""
        self._note(lambda record: record.shown(id))

    def accepted(self, id: str, characters: int | None) -> None:
        """Note that so many characters of a suggestion, or all that was left, were taken."""
        if characters is None:
            every = (one for offered in self._offered.values() for one in offered.values())
            characters = next((one.left for one in every if one.id == id), None)
        self._note(lambda record: record.accepted(id, characters))

    def close(self, seconds: float) -> None:
        """Write what is left, for so long at most."""
        if self._writer is not None:
            self._notes.put(None)
            self._writer.join(seconds)

    def _note(self, note: _Note) -> None:
        if not self._enabled():
            return
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="stats", daemon=True)
            self._writer.start()
            self._notes.put(lambda record: record.prune())
        self._notes.put(note)

    def _write(self) -> None:
        usable = True
        while (note := self._notes.get()) is not None:
            if not usable:
                continue
            try:
                note(self._record)
            except OpencoderError as error:
                log.warning("suggestions are not counted: %s", error)
                usable = False


def did_show(ls: "Server", params: Any) -> None:
    """Take `textDocument/didShowCompletion {item}`, as Copilot's language server has it."""
    shown = read(ShownParams, params)
    if shown is not None and shown.item.suggestion_id:
        ls.acceptance.shown(shown.item.suggestion_id)


def did_accept_part(ls: "Server", params: Any) -> None:
    """Take `textDocument/didPartiallyAcceptCompletion {item, acceptedLength}`, likewise."""
    taken = read(PartlyAcceptedParams, params)
    if taken is not None and taken.item.suggestion_id:
        ls.acceptance.accepted(taken.item.suggestion_id, taken.accepted_length)
