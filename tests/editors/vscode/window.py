"""Chromium, and windows of VS Code in it that can reach nothing but this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.web.conftest import CHROMIUM
from tests.editors.vscode.code_server import CodeServer
from tests.editors.vscode.workbench import Workbench
from tests.fakes.engine import FakeEngine

_PATIENCE = 60_000  # milliseconds, for what takes one of them on an idle machine
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """Run Chromium, with a profile that is thrown away."""
    driver = pytest.importorskip("playwright.async_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    async with driver.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def opened(
    browser: Any, server: CodeServer, engine: FakeEngine, folder: Path
) -> AsyncIterator[Workbench]:
    """Open a folder in a window."""
    context = await browser.new_context(viewport={"width": 1180, "height": 760})
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    await context.route(_is_elsewhere, lambda route: route.abort())
    page = await context.new_page()
    page.set_default_timeout(_PATIENCE)
    person = Workbench(page, server, engine, folder)
    await person.load()
    try:
        yield person
    finally:
        await context.close()


def _is_elsewhere(url: str) -> bool:
    return urlsplit(url).hostname not in (None, "127.0.0.1")
