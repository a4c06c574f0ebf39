"""From the text of a suggestion to what an editor inserts."""

from dataclasses import dataclass, replace

from lsprotocol import types

from opencoder_lsp.lsp.documents import Document, Spot, clean
from opencoder_lsp.lsp.filters import Insertion
from opencoder_lsp.prompt.completion import Place


@dataclass(frozen=True, slots=True)
class Selection:
    """The item that is selected in the editor's list: what it would replace, and by what."""

    start: Spot
    end: Spot
    text: str

    @classmethod
    def of(
        cls, info: types.SelectedCompletionInfo | None, document: Document
    ) -> "Selection | None":
        """Read what a request says of it; None for a range that no item may have."""
        if info is None or info.range.start.line != info.range.end.line:
            return None
        start, end = sorted((document.spot(info.range.start), document.spot(info.range.end)))
        return cls(start, end, clean(info.text))

    def split(self, document: Document) -> tuple[str, str]:
        """Return what would stand left and right of the cursor once the item is inserted."""
        return document.split(self.start)[0] + self.text, document.split(self.end)[1]


def accepted(place: Place, insertion: Insertion) -> Place:
    """Return the place behind an insertion, with the line ends that the document has."""
    crlf = "\r\n" in place.prefix or "\r\n" in place.suffix
    text = insertion.text.replace("\n", "\r\n") if crlf else insertion.text
    suffix = place.suffix[insertion.replaced :]
    return replace(place, prefix=place.prefix + text, suffix=suffix)


def extent(
    document: Document, spot: Spot, insertion: Insertion, selection: Selection | None
) -> tuple[types.Range, str] | None:
    """
    Return the range that an item replaces, and its text.

    With a selected item that is its range, and its text comes first (LSP 3.18,
    `SelectedCompletionInfo`); None where the insertion would have to replace more.
    """
    if selection is None:
        end = Spot(spot.line, spot.index + insertion.replaced)
        return types.Range(document.position(spot), document.position(end)), insertion.text
    text = insertion.text
    if insertion.replaced:
        after = document.split(selection.end)[1][: insertion.replaced]
        if not text.endswith(after):
            return None
        text = text.removesuffix(after)
    span = types.Range(document.position(selection.start), document.position(selection.end))
    return span, selection.text + text
