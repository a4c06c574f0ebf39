"""`textDocument/inlineCompletion`: ghost text."""

import logging
import uuid
from functools import partial
from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.errors import EngineBusyError, OpencoderError
from opencoder_lsp.lsp.connection import NotNowError
from opencoder_lsp.lsp.documents import OUT_OF_STEP, Document, Spot
from opencoder_lsp.lsp.failures import describe
from opencoder_lsp.lsp.progress import WorkDone
from opencoder_lsp.lsp.suggestion import OnText, Ready
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.privacy import is_remote

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
    Answer with one item that inserts at the cursor, or with null.

    While the engine loads, what is triggered by typing is answered at once, and what the user asks
    for waits, until it is outdated. With a `workDoneToken`, the message of its reports is the
    suggestion so far.
    """
    document = ls.documents.get(params.text_document.uri)
    if document is None:
        return None
    invoked = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    ready = partial(_wait_for_engine, ls) if invoked else None
    spot = document.spot(params.position)
    line = WorkDone(ls, params.work_done_token)
    line.begin("OpenCoder")
    try:
        text = await suggestion_at(ls, document, spot, line.report, ready)
    finally:
        line.end()
    if not text:
        return None
    position = document.position(spot)
    suggestion_id = uuid.uuid4().hex
    item = types.InlineCompletionItem(
        insert_text=text,
        range=types.Range(position, position),
        command=types.Command(
            title="Accepted", command=ACCEPTED, arguments=[{"suggestionId": suggestion_id}]
        ),
    )
    ls.counts.shown += 1
    return types.InlineCompletionList(items=[item])


async def _wait_for_engine(ls: "Server") -> None:
    """Wait until the engine is ready; what keeps it from that is shown to the user once."""
    try:
        await ls.connection.engine()
    except OpencoderError as error:
        ls.troubles.report(error)


async def suggestion_at(
    ls: "Server",
    document: Document,
    spot: Spot,
    on_text: OnText | None = None,
    ready: Ready | None = None,
) -> str | None:
    """
    Return what to insert at a place, nothing where there is no suggestion or no engine yet.

    `ready` is awaited before the engine is asked, and no longer than the request is of interest.

    Trouble with the engine is shown to the user once, and is no error of the request: editors show
    those for each key.
    """
    place = place_of(ls, document, spot)
    if place is None:
        return None
    try:
        text = await ls.session_of(document.uri).suggest(place, on_text, ready)
    except (NotNowError, EngineBusyError) as error:
        log.info("no completion now: %s", describe(error))  # an engine's words may quote the code
        return None
    except OpencoderError as error:
        ls.troubles.report(error)
        return None
    if text is not None:
        ls.troubles.recovered()
    return text


def place_of(ls: "Server", document: Document, spot: Spot) -> Place | None:
    """
    Return the place as a prompt sees it; None where no completion is wanted, allowed or possible.

    Why it is not possible is shown once.
    """
    settings = ls.configuration.settings
    if not settings.completion.enabled:
        return None
    if refused := ls.refusal(document.uri):
        if is_remote(settings.engine.url):  # which the user may not expect
            ls.troubles.warn(f"no completions in this file: {refused}")
        return None
    if not document.in_sync:
        ls.troubles.warn(f"no completions: {OUT_OF_STEP}")
        return None
    if document.size > LARGEST:
        ls.troubles.warn(f"no completions in files of more than {LARGEST // 10**6} MB")
        return None
    prefix, suffix = document.split(spot)
    path = ls.workspace_folders.shown_path(document.uri)
    return Place(path, document.language, prefix, suffix)
