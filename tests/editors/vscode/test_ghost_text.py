"""Suggestions as you type, in VS Code."""

import pytest

from tests.editors.vscode.workbench import Workbench

pytestmark = [pytest.mark.editor, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="package")]


async def test_ghost_text_appears_and_tab_takes_all_of_it(window: Workbench) -> None:
    file = await window.open("import os\n\n")
    window.engine.default = "return a + b\n"
    await window.press("Control+End")
    await window.type("def add(a, b): ")
    await window.ghost("return a + b")
    await window.picture("ghost-text")
    await window.press("Tab")
    await window.no_ghost()
    assert await window.save(file) == b"import os\n\ndef add(a, b): return a + b"
