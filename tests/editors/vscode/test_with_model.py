"""The extension with the real server, the real engine and the real demo model."""

from pathlib import Path
from typing import Any

import pytest

from tests.editors.vscode.code_server import CodeServer
from tests.editors.vscode.window import opened
from tests.editors.vscode.workbench import MARKS
from tests.fakes.engine import FakeEngine

pytestmark = [*MARKS, pytest.mark.model]

SOURCE = "def mean(values):\n    return sum(values) / len\n\nprint(mean([1, 2]))\n"
# The user's own, so they count more than the environment, which names the fake.
DEMO = {
    "opencoder.engine.url": "",
    "opencoder.engine.linger": 0,
    "opencoder.model.name": "demo",
    "opencoder.chat.max_tokens": 24,
}


async def test_the_demo_model_completes_and_chats_in_vs_code(
    browser: Any, server: CodeServer, engine: FakeEngine, home: Path, demo_home: Path
) -> None:
    folder = home / "work" / "model"
    folder.mkdir(parents=True)
    models = home / "opencoder" / "data" / "models"
    models.parent.mkdir(parents=True, exist_ok=True)
    models.symlink_to(demo_home / "data" / "models")
    asked = len(engine.requests)
    server.set(DEMO)
    try:
        async with opened(browser, server, engine, folder) as person:
            await person.status("this is the small demo model")
            file = await person.open(SOURCE)
            await person.press("ArrowDown", "End")
            await person.type_first("(", "values)")
            await person.picture("demo-model")
            await person.press("Tab")
            await person.no_ghost()
            wanted = SOURCE.replace("len\n", "len(values)\n")
            assert (await person.save(file)).decode() == wanted
            await person.command("Open Chat")
            await person.ask("What does this function return?")
            await person.chat_says("The answer is complete")
            question, answer = await person.messages()
            assert question == "What does this function return?"
            assert len(answer) > 20
            assert len(engine.requests) == asked
    finally:
        server.set(dict.fromkeys(DEMO))
        models.unlink()
