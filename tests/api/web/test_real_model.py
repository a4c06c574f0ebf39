"""The whole way once: `serve`, the address it prints, the browser, the engine, the demo model."""

from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.client.launcher import running_engines, stop_engine
from opencoder_lsp.conversations.store import Store
from tests.api.process import ServeProcess
from tests.api.web.conftest import PICTURES

pytestmark = pytest.mark.browser


async def test_the_demo_model_answers_in_the_browser(
    demo_environment: dict[str, str], browser: Any
) -> None:
    env = {**demo_environment, "OPENCODER_CHAT_TEMPERATURE": "0"}
    async with ServeProcess(env) as process:
        address = next(line for line in process.lines if "chat page" in line).split()[-1]
        page = await browser.new_page()
        page.set_default_timeout(90_000)
        await page.goto(address)
        await page.get_by_label("Your question").fill("What is the capital of France? One word.")
        await page.get_by_role("button", name="Send").click()
        await page.get_by_text("The answer is complete.").wait_for()
        assert "Paris" in await page.get_by_role("article", name="Answer").inner_text()
        if PICTURES:
            await page.screenshot(path=Path(PICTURES) / "demo.png")
        await page.close()
        assert await process.end() == 0
    kept = Store().conversation(Store().summaries()[0].id)
    assert "Paris" in kept.entries[1].content
    for engine in running_engines().values():
        stop_engine(engine)
