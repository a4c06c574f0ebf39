"""Position encodings and line breaks, seen through the pipe."""

from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, capabilities

CodeOf = Callable[[dict[str, Any]], str]
# As editors of each encoding count what is left of the cursor.
LENGTHS: dict[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode()),
    "utf-16": lambda text: len(text.encode("utf-16-le")) // 2,
    "utf-32": len,
}


@pytest.mark.fault("F26", "P22")
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "utf-16"),
        ([], "utf-16"),
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32", "utf-8"], "utf-32"),
        (["utf-16", "utf-32"], "utf-16"),
        (["utf-7", "utf-32"], "utf-32"),
        (["utf-7"], "utf-16"),
    ],
)
async def test_the_editor_s_first_choice_that_is_known_is_taken(
    start: StartEditor, offered: list[str] | None, chosen: str, foreign: str | None
) -> None:
    editor = await start(capabilities(encodings=offered), wait=False)
    encoding = editor.init.capabilities.position_encoding or "utf-16"
    if foreign:
        assert encoding in (*(offered or []), "utf-16")
    else:
        assert encoding == chosen


@pytest.mark.fault("F26")
@pytest.mark.parametrize("encoding", LENGTHS)
async def test_columns_are_counted_in_the_chosen_encoding(
    start: StartEditor, engine: FakeEngine | None, code_of: CodeOf, encoding: str
) -> None:
    editor = await start(capabilities(encodings=[encoding]))
    if editor.init.capabilities.position_encoding not in (encoding, None):
        pytest.skip(f"the server does not count in {encoding}")
    left = "s = '😀é👩\u200d🚀\u2028' + "
    editor.open(f"# 😀\n{left}.lower()")
    items = await editor.complete(1, LENGTHS[encoding](left))
    for item in items:
        assert item.range is None or item.range.end.character == LENGTHS[encoding](left)
    if engine is not None:
        assert len(items) == 1
        assert code_of(engine.requests[0]).endswith(f"# 😀\n{left}")


@pytest.mark.fault("F26")
@pytest.mark.parametrize("encoding", LENGTHS)
async def test_edits_behind_an_emoji_go_where_the_editor_meant(
    start: StartEditor, fake: FakeEngine, code_of: CodeOf, encoding: str
) -> None:
    editor = await start(capabilities(encodings=[encoding]))
    length = LENGTHS[encoding]
    editor.open("'😀' + \n")
    editor.type(2, 0, length("'😀' + "), "'🚀é' + ")
    editor.type(3, 0, length("'😀' + '🚀é' + "), "x")
    await editor.complete(0, length("'😀' + '🚀é' + x"))
    assert code_of(fake.requests[0]).endswith("'😀' + '🚀é' + x")


@pytest.mark.fault("F25")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb\r\nx = ", 2),
        ("a\rb\rx = ", 2),
        ("a\nb\r\nc\rx = ", 3),
        ("a\x0cb\nx = ", 1),
        ("a\u2028b\u2029c\x85d\x0be\nx = ", 1),
        ("\n\nx = ", 2),
    ],
    ids=["CRLF", "CR", "mixed", "form feed", "U+2028", "blank"],
)
async def test_lines_end_where_lsp_says(
    editor: Editor, engine: FakeEngine | None, code_of: CodeOf, text: str, line: int
) -> None:
    editor.open(text)
    items = await editor.complete(line, 4)
    for item in items:
        place = types.Position(line, 4)
        assert item.range is None or item.range == types.Range(place, place)
    if engine is not None:
        assert len(items) == 1
        assert code_of(engine.requests[0]).endswith("x = ")


async def test_in_a_file_with_crlf_the_suggestion_has_plain_line_feeds(
    editor: Editor, fake: FakeEngine
) -> None:
    editor.open("def f():\r\n")
    fake.answer(["\r", "\n    a = 1\r\n    return a"])
    (item,) = await editor.complete(0, 8)
    assert item.insert_text == "\n    a = 1\n    return a"
