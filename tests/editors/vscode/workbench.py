"""A person at a VS Code: keys, and what is on the screen."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.editors.vscode.code_server import CodeServer
from tests.fakes.engine import FakeEngine

# Where pictures go, for people to look at; nowhere if it is not set.
PICTURES = os.environ.get("OPENCODER_TEST_PICTURES")

MARKS = [
    pytest.mark.editor,
    pytest.mark.timeout(600),  # VS Code may have to be installed
    pytest.mark.asyncio(loop_scope="package"),
]

STATUS = "[id='opencoder-lsp.opencoder.opencoder.status']"

# There are hidden templates of ghost text, so what counts is what has a place on the screen.
_GHOST = """() => [...document.querySelectorAll(".suggest-preview-text, [class*=ghost-text]")]
    .filter((one) => one.getClientRects().length)
    .map((one) => one.textContent).join("").replace(/\\u00a0/g, " ")"""


def _late() -> type[Exception]:
    """Return what Playwright raises when something has not come in time."""
    from playwright.async_api import TimeoutError

    late: type[Exception] = TimeoutError
    return late


class Workbench:
    """A window of VS Code on a folder."""

    def __init__(self, page: Any, server: CodeServer, engine: FakeEngine, folder: Path) -> None:
        self.page = page
        self.server = server
        self.engine = engine
        self.folder = folder
        self.files = 0
        self.places: set[str] = set()
        page.on("request", lambda request: self.places.add(request.url))

    async def load(self) -> None:
        """Open the window anew."""
        await self.page.goto(self.server.address(self.folder), wait_until="domcontentloaded")
        await self.page.locator(".monaco-workbench").wait_for()

    @asynccontextmanager
    async def settings(self, chosen: Mapping[str, Any]) -> AsyncIterator[None]:
        """Load the window anew with other settings of the user's, and with the old ones after."""
        self.server.set(chosen)
        await self.load()
        await self.ready()
        try:
            yield
        finally:
            self.server.set(dict.fromkeys(chosen))
            await self.close_all()
            await self.load()
            await self.ready()

    async def status(self, text: str) -> None:
        """Wait for what the status bar's item says, on it or of its reason."""
        item = self.page.locator(STATUS)
        await item.filter(has_text=text).or_(item.get_by_label(text)).first.wait_for()

    async def completes(self) -> None:
        """Wait until suggestions come as one types."""
        self.engine.default = "first()"
        await self.open("", "first.py")
        await self.type_first("x = ", "first()")
        await self.close_all()

    async def type_first(self, text: str, ghost: str) -> None:
        """Type until that brings ghost text: a new window does not ask for any at first."""
        for patience in (3_000, 5_000, 10_000, 60_000):
            await self.type(text)
            try:
                return await self.ghost(ghost, timeout=patience)
            except _late():
                await self.press(*["Backspace"] * len(text))
        raise AssertionError("no suggestion came")

    async def ready(self) -> None:
        """Wait until the engine is ready for the server of this window."""
        await self.status("is ready")

    @asynccontextmanager
    async def another_server(self) -> AsyncIterator[None]:
        """Wait until a server has taken the place of the one that the block ends."""
        told = self.engine.told  # to each that comes; nobody may be there only for an instant
        yield
        await self.engine.until(lambda: self.engine.told > told and self.engine.leases == 1)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.page.keyboard.type(text)

    async def choose(self, text: str, entry: str = "") -> None:
        """Type into the quick input that is open, and take the entry (the one so called)."""
        box = self.page.locator(".quick-input-widget")
        await box.locator("input.input").fill(text)
        row = box.locator(".quick-input-list .monaco-list-row.focused")
        await row.filter(has_text=entry or text.removeprefix(">")).first.wait_for()
        await self.press("Enter")

    async def command(self, title: str) -> None:
        """Run a command by its title; the list closes when something else takes the focus."""
        text = f">OpenCoder: {title}" if not title.startswith(">") else title
        box = self.page.locator(".quick-input-widget")
        row = box.locator(".quick-input-list .monaco-list-row.focused")
        for patience in (5_000, 10_000, 45_000):
            await self.press("F1")
            try:
                await box.locator("input.input").fill(text, timeout=patience)
                await row.filter(has_text=text.removeprefix(">")).first.wait_for(timeout=patience)
            except _late():
                await self.press("Escape")
            else:
                return await self.press("Enter")
        raise AssertionError(f"no such command: {text}")

    async def open(self, text: str | bytes, name: str = "mean.py") -> Path:
        """
        Write a file, open it and put the cursor into it.

        It has a folder of its own: VS Code, which watches no files here, may remember a text.
        """
        self.files += 1
        file = self.folder / f"file{self.files:03}" / name
        file.parent.mkdir()
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        await self.press("Control+p")
        box = self.page.locator(".quick-input-widget input.input")
        await box.fill(str(file))
        row = self.page.locator(".quick-input-list .monaco-list-row.focused")
        # Files of this name that were opened before stand there, too.
        await row.filter(has_text=name).filter(has_text=file.parent.name).first.wait_for()
        await self.press("Enter")
        await self.page.locator(f".tab.active[data-resource-name='{name}']").wait_for()
        await self.page.locator(".editor-instance .monaco-editor.focused").first.wait_for()
        await self.press("Control+Home")
        return file

    async def close_all(self) -> None:
        """Close every file as it is, and every message."""
        await self.engine.until(lambda: self.engine.running == 0)
        tabs = self.page.locator(".tab")
        while count := await tabs.count():
            await self.command(">View: Revert and Close Editor")
            await tabs.nth(count - 1).wait_for(state="detached")
        await self.command(">Notifications: Clear All Notifications")

    async def ghost(self, text: str, **how: Any) -> None:
        """Wait until ghost text with this in it is on the screen."""
        await self.page.wait_for_function(f"(text) => ({_GHOST})().includes(text)", arg=text, **how)

    async def ghost_is(self, text: str) -> None:
        """Wait until the ghost text on the screen is this."""
        await self.page.wait_for_function(f"(text) => ({_GHOST})() === text", arg=text)

    async def no_ghost(self) -> None:
        """Wait until there is no ghost text on the screen."""
        await self.ghost_is("")

    async def save(self, file: Path) -> bytes:
        """Save the file, which has been changed, and return what is on the disk."""
        await self.page.locator(".tab.active.dirty").click()  # keys may still go to the chat
        await self.press("Control+s")
        await self.page.locator(".tab.active:not(.dirty)").wait_for()
        return await asyncio.to_thread(file.read_bytes)

    def asked(self) -> int:
        """Count the questions to the engine so far; warming it up is none."""
        return sum(request["max_tokens"] > 0 for request in self.engine.requests)

    async def notification(self, text: str) -> Any:
        """Wait for a message and return it."""
        found = self.page.locator(
            ".notification-list-item, .notifications-toasts .notification-toast"
        )
        one = found.filter(has_text=text).first
        await one.wait_for()
        return one

    @property
    def chat(self) -> Any:
        """The chat's page, in its two frames."""
        return self.page.frame_locator("iframe.webview").frame_locator("iframe")

    async def ask(self, question: str) -> None:
        """Send a question in the chat."""
        box = self.chat.get_by_role("textbox", name="Your question")
        await box.fill(question)
        await box.press("Enter")

    async def chat_says(self, text: str) -> None:
        """Wait for what the chat says of itself."""
        await self.chat.get_by_role("status").get_by_text(text).wait_for()

    async def turn(self, question: str, answer: str, **how: Any) -> None:
        """Have a question answered to its end."""
        self.engine.answer(answer, **how)
        await self.ask(question)
        await self.chat_says("The answer is complete")

    async def messages(self) -> list[str]:
        """Return the texts of all that was said in the chat."""
        texts: list[str] = await self.chat.locator("article .body").all_inner_texts()
        return [text.strip() for text in texts]

    async def said(self, *texts: str) -> None:
        """Wait until these, and no others, are the texts of all that was said in the chat."""
        await self.has_texts(self.chat.locator("article .body"), texts)

    async def has_texts(self, found: Any, texts: Sequence[str]) -> None:
        """Wait until these are the texts of what a locator finds, which may be drawn anew."""
        from playwright.async_api import expect

        await expect(found).to_have_text(list(texts), use_inner_text=True, timeout=60_000)

    async def picture(self, name: str, **how: Any) -> None:
        """Take a picture, if somebody wants it."""
        if PICTURES:
            await self.page.screenshot(path=Path(PICTURES) / f"{name}.png", **how)
