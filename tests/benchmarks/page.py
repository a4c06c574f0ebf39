"""The chat page of `serve` in a real browser: when something is to be seen, and how much came."""

import asyncio
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.api.process import ServeProcess
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

_LOADS = 5
# What browsers measure by themselves: https://www.w3.org/TR/paint-timing/, resource-timing.
_MEASURED = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const loaded = [...performance.getEntriesByType("navigation"),
                  ...performance.getEntriesByType("resource")];
  return { paint: paint.startTime, bytes: loaded.reduce((sum, one) => sum + one.transferSize, 0) };
}"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"


async def measured(chromium: str) -> list[dict[str, Any]]:
    """Return milliseconds to the first paint and bytes sent, each time with an empty cache."""
    from playwright.async_api import async_playwright

    with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp") as name:
        folder = Path(name)
        async with FakeEngine(folder / "s") as fake, async_playwright() as playwright:
            model = make_tokenizer_folder(folder / "model", name="tiny")
            ours = {"ENGINE_URL": fake.url, "MODEL_NAME": str(model), "HOME": str(folder / "home")}
            env = {**os.environ, **{f"OPENCODER_{key}": value for key, value in ours.items()}}
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            async with ServeProcess(env) as process:
                address = next(line for line in process.lines if "chat page" in line).split()[-1]
                loads = []
                for _ in range(_LOADS):
                    page = await browser.new_page()  # whose cache is its own, and empty
                    await page.goto(address)
                    await page.wait_for_function(_PAINTED)
                    loads.append(await page.evaluate(_MEASURED))
                    await page.close()
                    address = (await process.says("chat page")).split()[-1]
            await browser.close()
    return loads


def run() -> None:
    """Measure and print, or say what is missing."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("page: not measured, there is no chromium on PATH")
        return
    loads = asyncio.run(measured(chromium))
    paints = [load["paint"] for load in loads]
    print(f"the chat page, {_LOADS} loads with an empty cache")
    print(f"  first contentful paint   {statistics.median(paints):.0f} ms ", end="")
    print(f"({min(paints):.0f} to {max(paints):.0f})")
    print(f"  sent until then          {max(load['bytes'] for load in loads) / 1e3:.0f} kB")
