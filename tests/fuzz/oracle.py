"""
What a server must do with each message: the simplest reading of JSON-RPC and LSP.

It knows how many answers each id has to get, and the text of each document as long as it is sure
of it: a document that a message may have changed, but which is not as LSP says, is out of the
question until it is opened again.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.fuzz.oddities import LARGEST
from tests.lsp.reference import Reference, without_surrogates

Key = tuple[type, int | str]  # 1 and "1" are two ids
CHANGING = ("textDocument/didOpen", "textDocument/didChange", "textDocument/didClose")


@dataclass
class Document:
    """A document; `sure` is whether its text and state are what they say."""

    reference: Reference
    version: int
    in_sync: bool = True
    sure: bool = True


class Oracle:
    """One session. `opened` and `shut` are told by whoever sees the answers."""

    def __init__(self) -> None:
        self.expected = Counter[Key]()
        self.nameless = 0  # answers with id null
        self.documents: dict[str, Document] = {}
        self.encoding: str | None = None  # of positions; None unless the session is open
        self.shut = False
        self.ended = False  # `exit` was sent: nothing has to be answered any more

    def take(self, message: Any) -> None:
        """Note what follows from a message."""
        if self.ended:
            return
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self.nameless += 1
        elif "method" not in message:
            return  # a response
        elif not isinstance(message["method"], str):
            self._expect(message.get("id"))
        elif "id" in message:
            self._expect(message["id"])
            self._request(message)
        elif message["method"] == "exit":
            self.ended = True
        elif self.encoding is not None and not self.shut:
            self._notification(message["method"], message.get("params"))

    def _expect(self, id: Any) -> None:
        if is_id(id):
            self.expected[type(id), id] += 1
        else:
            self.nameless += 1

    def _request(self, message: dict[str, Any]) -> None:
        if not is_id(message["id"]):
            return
        if message["method"] == "shutdown":
            self.shut = self.encoding is not None
        elif message["method"] in CHANGING:
            self._doubt(message.get("params"))  # no request of LSP's, but perhaps it is done

    def _notification(self, method: str, params: Any) -> None:
        if method not in CHANGING:
            return
        if not _well_formed(method, params):
            self._doubt(params)
            return
        given = params["textDocument"]
        uri = given["uri"]
        if method == "textDocument/didOpen":
            assert self.encoding is not None
            reference = Reference(without_surrogates(given["text"]), self.encoding)
            self.documents[uri] = Document(reference, given["version"])
        elif method == "textDocument/didClose":
            self.documents.pop(uri, None)
        elif uri in self.documents:
            self._change(self.documents[uri], given["version"], params["contentChanges"])

    def _change(self, document: Document, version: int, changes: list[Any]) -> None:
        if version < document.version:
            document.in_sync = False
            return
        document.version = version
        for change in changes:
            if "range" in change:
                start, end = change["range"]["start"], change["range"]["end"]
                first, last = ((one["line"], one["character"]) for one in (start, end))
                document.reference.replace(first, last, change["text"])
            else:
                document.reference.text = without_surrogates(change["text"])
                document.in_sync = True

    def _doubt(self, params: Any) -> None:
        """Be sure of a document no more, or of none where it is not said which."""
        try:
            uri = params["textDocument"]["uri"]
        except (TypeError, LookupError):
            uri = None
        if not isinstance(uri, str):
            return  # it cannot mean any document
        self.documents.setdefault(uri, Document(Reference("", "utf-16"), 0)).sure = False


def is_id(value: Any) -> bool:
    """Whether a value can be the id of a request."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def _well_formed(method: str, params: Any) -> bool:
    """Whether the params of a notification of a document are as LSP says."""
    try:
        given = params["textDocument"]
        if not isinstance(given["uri"], str):
            return False
        if method == "textDocument/didOpen":
            texts = isinstance(given["text"], str) and isinstance(given["languageId"], str)
            return texts and _is_integer(given["version"])
        if method == "textDocument/didClose":
            return True
        changes = params["contentChanges"]
        return (
            _is_integer(given["version"])
            and isinstance(changes, list)
            and all(_is_change(change) for change in changes)
        )
    except (TypeError, LookupError):
        return False


def _is_change(change: Any) -> bool:
    if not isinstance(change["text"], str):
        return False
    if "range" not in change:
        return True
    places = (change["range"]["start"], change["range"]["end"])
    units = (place[name] for place in places for name in ("line", "character"))
    return all(_is_unsigned(unit) for unit in units) and _is_unsigned(change.get("rangeLength", 0))


def _is_integer(value: Any) -> bool:
    return type(value) is int and -LARGEST - 1 <= value <= LARGEST


def _is_unsigned(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST
