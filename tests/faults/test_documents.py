"""F24 to F32: documents that are large, odd or out of step with the editor."""

import json
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from opencoder_lsp.lsp.inline_completion import LARGEST
from tests.fakes.engine import FakeEngine
from tests.faults.session import URI, ask, document, popups, suggested, works
from tests.protocol.editor import URI as DEFAULT
from tests.protocol.editor import Editor, insertion
from tests.protocol.raw import RawServer


def change(version: int | None, *changes: dict[str, Any]) -> dict[str, Any]:
    return {"textDocument": {"uri": URI, "version": version}, "contentChanges": list(changes)}


def typed(text: str, character: int = 0) -> dict[str, Any]:
    place = {"line": 0, "character": character}
    return {"range": {"start": place, "end": place}, "text": text}


@pytest.mark.fault("F27", "F31", "P23")
@pytest.mark.parametrize(
    "text",
    ["x\x00 = ", "\ufeffx = ", "x = '\ud83d' + ", "\x00" * 5000 + "\nx = ", "\x7fELF\x02\x01\x01"],
    ids=["NUL", "BOM", "lone surrogate", "binary", "ELF"],
)
async def test_text_of_any_kind_is_completed(editor: Editor, fake: FakeEngine, text: str) -> None:
    editor.open(text)
    *above, line = text.split("\n")
    column = len(line.encode("utf-16-le", "replace")) // 2
    assert len(await editor.complete(len(above), column)) == 1
    json.dumps(fake.requests[0]).encode()


@pytest.mark.fault("F29", "P16")
@pytest.mark.parametrize(
    "odd",
    [
        [change(1, typed("old "))],
        [change(None, typed("no version "))],
        [change(2, {"text": 5})],
        [change(2, {"text": "no", "range": {"start": 5, "end": 5}})],
        [{"textDocument": {"uri": URI, "version": 2}}],
    ],
    ids=["old version", "no version", "no text", "no range", "no changes"],
)
async def test_a_document_out_of_step_is_told_once_and_comes_back_with_its_whole_text(
    raw: RawServer, fake: FakeEngine, odd: list[dict[str, Any]]
) -> None:
    async with raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", document("x = ", version=2))
        assert await suggested(raw, 1, ask(0, 4)) == "fake .answer"
        for params in odd:
            raw.send("textDocument/didChange", params)
        for number in range(3):
            raw.send("textDocument/inlineCompletion", ask(0, 4), number)
        (shown,) = popups(await answers(raw, 3, None))
        assert "out of step" in shown
        raw.send("textDocument/didChange", change(5, {"text": "whole = "}))
        assert await suggested(raw, "back", ask(0, 8)) == "fake .answer"


async def answers(raw: RawServer, count: int, result: Any) -> list[dict[str, Any]]:
    """Read the answers 0 to `count`, each of which is `result`; return all that came."""
    came = list[dict[str, Any]]()
    left = set(range(count))
    while left:
        came.append(await raw.receive())
        if "method" not in came[-1] and came[-1]["id"] in left:
            left.remove(came[-1]["id"])
            assert came[-1]["result"] == result
    return came


@pytest.mark.fault("F29", "P16")
async def test_what_is_not_open_or_open_twice_is_handled_in_silence(
    raw: RawServer, fake: FakeEngine
) -> None:
    async with raw:
        await raw.initialize()
        raw.send("textDocument/didChange", change(1, typed("x")))
        raw.send("textDocument/didClose", {"textDocument": {"uri": URI}})
        raw.send("textDocument/didOpen", document("first = "))
        raw.send("textDocument/didOpen", document("second = "))
        raw.send("textDocument/didChange", change(1, typed("x_")))  # the version that it has
        assert popups(await works(raw)) == []
        assert await suggested(raw, 1, ask(0, 11)) == "fake .answer"
        raw.send("textDocument/didClose", {"textDocument": {"uri": URI}})
        raw.send("textDocument/didClose", {"textDocument": {"uri": URI}})
        assert await suggested(raw, 2, ask(0, 9)) is None
        assert popups(await works(raw, "end")) == []


@pytest.mark.fault("F31")
async def test_a_file_that_is_too_large_is_told_once_and_the_others_work(
    raw: RawServer, fake: FakeEngine
) -> None:
    text = "x = 1\n" * (LARGEST // 6 + 1)
    async with raw:
        await raw.initialize()
        raw.send("textDocument/didOpen", document(text))
        raw.send("textDocument/didOpen", document("y = ", "file:///project/b.py"))
        assert await suggested(raw, "b", ask(0, 4, "file:///project/b.py")) == "fake .answer"
        for number in range(3):
            raw.send("textDocument/didChange", change(number + 2, typed("z")))
            raw.send("textDocument/inlineCompletion", ask(0, 0), number)
        (shown,) = popups(await answers(raw, 3, None))
        assert "more than 8 MB" in shown
        raw.send("textDocument/didChange", change(9, {"text": "small = "}))
        assert await suggested(raw, "a", ask(0, 8)) == "fake .answer"


@pytest.mark.fault("F31", "P25")
async def test_200_000_lines_are_edited_and_completed(editor: Editor, fake: FakeEngine) -> None:
    editor.open("x = 1\n" * 200_000)
    for number in range(200):
        editor.change(number + 2, insertion(number * 1000, 0, "a\nb"))
    fake.answer("2 + ")
    assert len(await editor.complete(200_199, 4)) == 1


URIS = [
    "untitled:Untitled-1",
    "vscode-notebook-cell:/project/book.ipynb#W1sZmlsZQ%3D%3D",
    "git:/project/a.py?%7B%22ref%22%3A%22~%22%7D",
    "file:///c%3A/work/x%20y.py",
    "file:///C:/work/x.py",
    "file:///project/caf%C3%A9%20%F0%9F%98%80.py",
    "file:///project/%00.py",
    "file:///project/%ff%fe.py",
    "file:///project/\ud800.py",
    "file://[bad/x.py",
    "http://elsewhere.example/x.py",
    "file:///" + "a/" * 3000 + "x.py",
    "::::",
    "",
]


@pytest.mark.fault("F32")
async def test_a_document_of_any_uri_is_completed(raw: RawServer, fake: FakeEngine) -> None:
    async with raw:
        await raw.initialize()
        for number, uri in enumerate(URIS):
            raw.send("textDocument/didOpen", document("x = ", uri))
            assert await suggested(raw, number, ask(0, 4, uri)) == "fake .answer", uri
            span = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}
            params = {"textDocument": {"uri": uri}, "range": span, "context": {"diagnostics": []}}
            response = await raw.request(f"act {number}", "textDocument/codeAction", params)
            assert response["result"][0]["kind"] == "opencoder.explain", uri
        assert popups(await works(raw)) == []


@pytest.mark.fault("F32", "P17")
async def test_nothing_is_read_that_was_not_opened(
    editor: Editor, fake: FakeEngine, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("secret = ")
    for uri in (secret.as_uri(), "file:///etc/passwd"):
        assert await editor.complete(0, 0, uri=uri) == []
        params = types.TextDocumentContentParams(uri)
        content = await editor.workspace_text_document_content_async(params)
        assert "secret" not in content.text
        assert "root" not in content.text
    assert fake.requests == []


@pytest.mark.fault("F31", "S12")
@pytest.mark.parametrize("piece", ["x", " ", "\t", "(", "'", "`", "\\", "é", "😀", "a.b ", "{}"])
async def test_a_line_of_whatever_a_million_times_is_completed_and_explained(
    editor: Editor, fake: FakeEngine, piece: str
) -> None:
    """What took longer with each character, as some regular expressions do, would never end."""
    editor.open("x = 1\n" + piece * (1_000_000 // len(piece)) + "\ny = ")
    for line, character in ((1, 0), (1, 500_000), (1, 1_000_000), (2, 4)):
        await editor.invoke(line, character)
    fake.answer([piece * (1000 // len(piece))] * 300)
    place = {"line": 2, "character": 0}
    span = {"start": place, "end": {"line": 2, "character": 4}}
    explained = await editor.command("opencoder.explain", {"uri": DEFAULT, "range": span})
    assert len(explained["text"]) > 200_000
    fake.answer([piece * (1000 // len(piece))] * 300)
    await editor.invoke(2, 4)
