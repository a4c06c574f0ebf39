"""`textDocument/completion`, for editors without inline completion: one item, at the very end."""

import time
from typing import TYPE_CHECKING

from lsprotocol import types

from opencoder_lsp.lsp.documents import Spot
from opencoder_lsp.lsp.habits import Wish
from opencoder_lsp.lsp.inline_completion import noted, suggestions_at, telling
from opencoder_lsp.prompt.tasks import fenced

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

_LABEL_LENGTH = 60
_LAST = "\U0010ffff"  # sorts behind everything


async def completion(ls: "Server", params: types.CompletionParams) -> types.CompletionList | None:
    """Answer with the suggestion as one completion item, or with null."""
    document = ls.documents.get(params.text_document.uri)
    if document is None or ls.has_inline_completion:
        return None
    spot = document.spot(params.position)
    start = Spot(spot.line, _word_start(document.line(spot.line), spot.index))
    word = document.slice(start, spot)
    begin = document.position(start)
    began = time.monotonic()
    found = await suggestions_at(ls, document, spot, Wish())
    if not found:
        return None
    ls.counts.shown += 1
    item = _item(ls, document.language, word, found[0].text)
    seconds = time.monotonic() - began
    item.command = telling(noted(ls, document, spot, found[0], seconds), found[0])
    end = document.position(Spot(spot.line, spot.index + found[0].replaced))
    item.text_edit = types.TextEdit(types.Range(begin, end), word + found[0].text)
    return types.CompletionList(is_incomplete=True, items=[item])


def _item(ls: "Server", language: str, word: str, text: str) -> types.CompletionItem:
    """Return the item, in the form that the client says it can show."""
    client = ls.client_capabilities.text_document
    shows = client and client.completion and client.completion.completion_item
    details = types.CompletionItemLabelDetails(description="OpenCoder")
    documentation: str | types.MarkupContent = word + text
    if shows and types.MarkupKind.Markdown in (shows.documentation_format or ()):
        markdown = fenced(word + text, language)
        documentation = types.MarkupContent(types.MarkupKind.Markdown, markdown)
    first = (word + text).strip().split("\n", 1)[0]
    return types.CompletionItem(
        label=first if len(first) <= _LABEL_LENGTH else first[: _LABEL_LENGTH - 1] + "…",
        label_details=details if shows and shows.label_details_support else None,
        detail="OpenCoder",
        documentation=documentation,
        kind=types.CompletionItemKind.Text,
        sort_text=_LAST,
        filter_text=word or None,
        insert_text_format=types.InsertTextFormat.PlainText,
    )


def _word_start(line: str, index: int) -> int:
    while index > 0 and (line[index - 1].isalnum() or line[index - 1] == "_"):
        index -= 1
    return index
