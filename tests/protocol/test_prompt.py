"""The text around the cursor as the engine gets it, whatever the text is."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor

CodeOf = Callable[[dict[str, Any]], str]
ARABIC = "رسالة = 'مرحبا بالعالم'"
HEBREW = "# שלום \u202eRTL\u202c"
COMBINED = "cafe\u0301 = 'e\u0301' + '👩\u200d👩\u200d👧\u200d👦' + 'ﷺ'"


def units(text: str) -> int:
    """Count characters as most editors do: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    "line",
    [
        "\tif x:\n\t    y = 1\n        z = (",  # tabs and spaces, as the file has them
        f"{ARABIC}\nprint(",
        f"{HEBREW}\nprint(",
        f"{COMBINED}\nprint(",
        "a = 1\x0c\nb = 2\u2028c = (",
        "no = 'final line end' + (",
    ],
)
async def test_text_left_of_the_cursor_arrives_as_it_is(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, line: str
) -> None:
    editor.open(line + ")\nlast = 1")
    *above, last = line.split("\n")
    (item,) = await editor.complete(len(above), units(last))
    assert item.range is not None
    assert item.range.start.character == units(last)
    code = code_of(fake.requests[0])
    assert code.endswith(f"```python\n{line}")
    assert "```python\nlast = 1\n```" in code


async def test_line_ends_of_windows_are_plain_in_the_prompt(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor.open("a = 1\r\n\tb = (\r\nc = 3\r\n")
    await editor.complete(1, 6)
    code = code_of(fake.requests[0])
    assert code.endswith("```python\na = 1\n\tb = (")
    assert "```python\nc = 3\n```" in code


async def test_a_cursor_within_a_character_is_behind_it(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor.open("x = '😀' + (")
    (item,) = await editor.complete(0, 6)
    assert item.range is not None
    assert item.range.start.character == 7
    assert code_of(fake.requests[0]).endswith("x = '😀")


async def test_a_binary_file_is_answered(editor: Editor, fake: FakeEngine) -> None:
    noise = random.Random(7).randbytes(50_000).decode("latin-1")
    editor.open(noise)
    items = await editor.complete(20, 3)
    assert len(items) <= 1
    assert len(fake.requests) == 1
    assert len(fake.requests[0]["prompt"]) <= 1024


@pytest.mark.parametrize("mode", ["template", "fim", "prefix"])
async def test_each_form_of_prompt_can_be_chosen(
    start: StartEditor, fake: FakeEngine, code_of: CodeOf, mode: str
) -> None:
    editor = await start(settings={"completion": {"prompt": mode, "healing": False}})
    editor.open("x = valu\ny = 2\n")
    await editor.complete(0, 8)
    request = fake.requests[0]
    assert "forced_prefix" not in request
    code = code_of(request)
    assert code.endswith("x = valu")
    assert ("y = 2" in code) is (mode != "prefix")
    assert (code == "x = valu") is (mode == "prefix")
