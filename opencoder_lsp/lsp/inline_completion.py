"""`textDocument/inlineCompletion`: ghost text."""

import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.client.connection import NotNowError
from opencoder_lsp.errors import EngineBusyError, OpencoderError, describe
from opencoder_lsp.lsp.documents import OUT_OF_STEP, Document, Spot
from opencoder_lsp.lsp.filters import Insertion, finish
from opencoder_lsp.lsp.habits import OnText, Wish
from opencoder_lsp.lsp.items import Selection, accepted, extent
from opencoder_lsp.lsp.progress import WorkDone
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.privacy import engines, is_remote

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)

ACCEPTED = "opencoder.accepted"
# Characters of the largest document that is completed: each key costs a copy of the text.
LARGEST = 8_000_000


async def inline_completion(
    ls: "Server", params: types.InlineCompletionParams
) -> types.InlineCompletionList | None:
    """
    Answer with one item that inserts at the cursor, with several if the user asks, or with null.

    While the engine loads, what is triggered by typing is answered at once, and what the user asks
    for waits, until it is outdated. With a `workDoneToken`, the message of its reports is the
    suggestion so far.
    """
    document = ls.documents.get(params.text_document.uri)
    if document is None:
        return None
    spot = document.spot(params.position)
    selection = Selection.of(params.context.selected_completion_info, document)
    line = WorkDone(ls, params.work_done_token)
    invoked = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    wish = Wish(
        on_text=line.report if params.work_done_token is not None else None,
        ready=partial(_wait_for_engine, ls) if invoked else None,
        invoked=invoked,
        choices=ls.configuration.settings.completion.choices if invoked else 1,
        virtual=selection is not None,
    )
    line.begin("OpenCoder")
    began = time.monotonic()
    try:
        found = await suggestions_at(ls, document, spot, wish, selection)
    finally:
        line.end()
    seconds = time.monotonic() - began
    shown = [
        (insertion, *where)
        for insertion in found
        if (where := extent(document, spot, insertion, selection)) is not None
    ]
    if not shown:
        return None
    ls.counts.shown += 1
    suggestion_id = noted(ls, document, spot, shown[0][0], seconds, selection)
    items = [
        types.InlineCompletionItem(text, range=span, command=telling(suggestion_id, insertion))
        for insertion, span, text in shown
    ]
    return types.InlineCompletionList(items=items)


def noted(
    ls: "Server",
    document: Document,
    spot: Spot,
    insertion: Insertion,
    seconds: float,
    selection: Selection | None = None,
) -> str:
    """Note the first suggestion of an answer, and how long it took; return its id."""
    settings, model = ls.configuration.settings, ls.connection.model
    around = document.split(spot) if selection is None else selection.split(document)
    place = Place("", document.language, *around)
    return ls.acceptance.offer(
        document.uri,
        replace(place, suffix=place.suffix[insertion.replaced :]),
        insertion.text,
        mode=ls.connection.mode(settings.completion.prompt),
        model=model.name if model else "",
        seconds=seconds,
    )


def telling(suggestion_id: str, insertion: Insertion) -> types.Command:
    """Return the command by which an editor tells that it took this one of an answer."""
    arguments = {"suggestionId": suggestion_id, "acceptedLength": len(insertion.text)}
    return types.Command(title="Accepted", command=ACCEPTED, arguments=[arguments])


async def _wait_for_engine(ls: "Server") -> None:
    """Wait until the engine is ready; what keeps it from that is shown to the user once."""
    try:
        await ls.connection.engine()
    except OpencoderError as error:
        ls.troubles.report(error)


async def suggestions_at(
    ls: "Server",
    document: Document,
    spot: Spot,
    wish: Wish,
    selection: Selection | None = None,
) -> list[Insertion]:
    """
    Return what to insert at a place, nothing where there is no suggestion or no engine yet, or an
    edit has come before it could be told.

    Trouble with the engine is shown to the user once, and is no error of the request: editors show
    those for each key. What would follow the first one is prepared.
    """
    ls.ahead.asked(document, spot)
    place = place_of(ls, document, spot, selection)
    if place is None:
        return []
    session, edits = ls.session_of(document.uri), document.edits
    if wish.on_text is not None:
        wish = replace(wish, on_text=partial(_show, place, wish.on_text))
    try:
        texts = await session.suggest(place, wish)
    except (NotNowError, EngineBusyError) as error:
        log.info("no completion now: %s", describe(error))  # an engine's words may quote the code
        return []
    except OpencoderError as error:
        ls.troubles.report(error)
        return []
    if texts is None or document.edits != edits:
        return []
    ls.troubles.recovered()
    finished = [finish(place, text) for text in texts]
    if finished and finished[0] and not texts[0].startswith(finished[0].text):
        session.shown_as(place, finished[0].text)
    found = list(dict.fromkeys(one for one in finished if one is not None))
    if found and selection is None and ls.ahead.is_wanted:
        session.prepare(place, accepted(place, found[0]))
    return found


def _show(place: Place, on_text: OnText, text: str) -> None:
    """Show what there is of a suggestion that grows."""
    insertion = finish(place, text, partial=True)
    if insertion is not None:
        on_text(insertion.text)


def place_of(
    ls: "Server",
    document: Document,
    spot: Spot,
    selection: Selection | None = None,
    *,
    tell: bool = True,
) -> Place | None:
    """
    Return the place as a prompt sees it; None where no completion is wanted, allowed or possible.

    With a selected item it is the place once that is inserted. Why it is not possible is shown
    once, if the user is to be told.
    """
    settings = ls.configuration.settings
    if not settings.completion.enabled:
        return None
    if refused := ls.refusal(document.uri):
        if is_remote(engines(settings)[0]):  # which the user may not expect
            ls.troubles.warn(f"no completions in this file: {refused}")
        return None
    obstacle = ""
    if not document.in_sync:
        obstacle = f"no completions: {OUT_OF_STEP}"
    elif document.size > LARGEST:
        obstacle = f"no completions in files of more than {LARGEST // 10**6} MB"
    if obstacle:
        if tell:
            ls.troubles.warn(obstacle)
        return None
    prefix, suffix = document.split(spot) if selection is None else selection.split(document)
    before, after = ls.notebooks.around(document)
    path = ls.workspace_folders.shown_path(ls.notebooks.owner(document.uri))
    lines = settings.completion.lines
    return Place(path, document.language, before + prefix, suffix + after, lines)
