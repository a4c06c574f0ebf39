"""Debian's Chromium on the chat page, before the scripted engine."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.api.conftest import Api
from tests.fakes.engine import FakeEngine

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
# Where pictures of the page go, for people to look at; nowhere if it is not set.
PICTURES = os.environ.get("OPENCODER_TEST_PICTURES")


class Chat:
    """The page as a user has it. Whatever goes wrong in the browser is in `troubles`."""

    def __init__(self, page: Any, api: Api, fake: FakeEngine) -> None:
        self.page = page
        self.api = api
        self.fake = fake
        self.troubles: list[str] = []
        self.places: set[str] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self.places.add(request.url))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    async def open(self) -> Self:
        """Open the one-time address and wait until the page is there."""
        await self.page.goto(self.api.url + self.api.app.sessions.one_time_path())
        await self.page.get_by_text("tiny", exact=True).wait_for(state="attached")
        return self

    @property
    def question(self) -> Any:
        """Where a question is written."""
        return self.page.get_by_role("textbox", name="Your question")

    @property
    def answer(self) -> Any:
        """The last answer."""
        return self.page.get_by_role("article", name="Answer").last

    def button(self, name: str) -> Any:
        """Return a button by its name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def entry(self, title: str) -> Any:
        """Return a conversation in the list."""
        return self.page.get_by_role("navigation").get_by_role("button", name=title)

    async def ask(self, text: str) -> None:
        """Send a question."""
        await self.question.fill(text)
        await self.question.press("Enter")

    async def says(self, text: str) -> None:
        """Wait for what the page says of itself."""
        try:
            await self.page.get_by_role("status").get_by_text(text).wait_for()
        except Exception as error:
            error.add_note(f"troubles of the page: {self.troubles}")
            raise

    async def turn(self, question: str, answer: Any = None, **how: Any) -> None:
        """Have a question answered to its end."""
        if answer is not None:
            self.fake.answer(answer, **how)
        await self.ask(question)
        await self.says("The answer is complete")

    async def messages(self) -> list[str]:
        """Return the texts of all that was said."""
        texts: list[str] = await self.page.locator("article .body").all_inner_texts()
        return [text.strip() for text in texts]

    async def picture(self, name: str) -> None:
        """Take a picture, if somebody wants it."""
        if PICTURES:
            await self.page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    """Chromium, with a profile that is thrown away."""
    driver = pytest.importorskip("playwright.async_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    async with driver.async_playwright() as playwright:
        # Its own sandbox needs rights that containers do not give.
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def chat(browser: Any, api: Api, fake: FakeEngine) -> AsyncIterator[Chat]:
    """The page with a session; at the end nothing may have gone wrong, or been asked elsewhere."""
    page = await browser.new_page(viewport={"width": 1100, "height": 760})
    page.set_default_timeout(60_000)
    chat = await Chat(page, api, fake).open()
    yield chat
    assert chat.troubles == []
    assert {
        place for place in chat.places if not place.startswith((chat.api.url, "blob:"))
    } == set()
