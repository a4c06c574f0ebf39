"""What is answered when the text changes in the last moment."""

from typing import Any

import pytest
from lsprotocol import types

from opencoder_lsp.lsp.documents import Spot
from opencoder_lsp.lsp.habits import Wish
from opencoder_lsp.lsp.inline_completion import suggestions_at
from opencoder_lsp.lsp.server import create_server
from opencoder_lsp.lsp.suggestion import Session
from opencoder_lsp.settings import Settings


@pytest.mark.parametrize("edits", [0, 1])
async def test_a_suggestion_that_an_edit_overtakes_is_not_given(
    monkeypatch: pytest.MonkeyPatch, edits: int
) -> None:
    server = create_server(Settings())
    item = types.TextDocumentItem("file:///a.py", "python", 1, "x\ny = ")
    document = server.documents.open(item)

    async def suggest(*_: Any) -> list[str]:
        document.apply([types.TextDocumentContentChangeWholeDocument("")] * edits)
        return ["1"]

    monkeypatch.setattr(Session, "suggest", suggest)
    found = await suggestions_at(server, document, Spot(1, 4), Wish())
    assert [insertion.text for insertion in found] == ([] if edits else ["1"])
