"""
How long it takes from a key to the ghost text on the screen, in VS Code.

    python -m tests.benchmarks.vscode

The engine is a fake that answers at once: what is measured is VS Code, the extension and the
server, from the key's going out to the text's being drawn; beside it the server's own time, from
the request to its answer. VS Code itself waits a while after a key before it asks.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from opencoder_lsp.stats import Record
from tests.editors.vscode.code_server import code_server, program
from tests.editors.vscode.installation import installation, package
from tests.editors.vscode.window import chromium, opened
from tests.editors.vscode.workbench import Workbench
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

KEYS = 10


async def rounds(person: Workbench, keys: int = KEYS) -> list[float]:
    """Return milliseconds from a key to the text that it brings, in a window that is ready."""
    await person.open("print(1)\n" * 50, "keys.py")
    times = []
    for number in range(keys):
        # Another text at another place each time: the server remembers what it said.
        text = f"marker_{number:02}"
        person.engine.default = f" = {text}\n"
        await person.press("Control+Home", "Control+Enter", "Home")
        began = time.perf_counter()
        await person.type("x")
        await person.ghost(text)
        times.append(1000 * (time.perf_counter() - began))
        await person.press("Escape")
        await person.no_ghost()
    return times


def server_times(home: Path, keys: int = KEYS) -> list[float]:
    """Return milliseconds of the server's latest answers, from its own record."""
    seen = Record(home / "data" / "stats.sqlite3").since(1)
    return [1000 * one.seconds for one in seen[-keys:]]


async def measure() -> tuple[float, float]:
    """Return the medians of key to screen and of the server alone, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp", ignore_cleanup_errors=True) as name:
        home = Path(name)
        program(home / ".local" / "bin")
        async with FakeEngine(home / "engine.sock") as engine, chromium() as browser:
            environment = {
                "OPENCODER_HOME": str(home / "opencoder"),
                "OPENCODER_ENGINE_URL": engine.url,
                "OPENCODER_MODEL_NAME": str(make_tokenizer_folder(home / "model")),
            }
            folder = home / "work"
            folder.mkdir()
            async with (
                code_server(installation(), [package()], home, environment) as server,
                opened(browser, server, engine, folder) as person,
            ):
                await person.ready()
                await person.completes()
                seen = await rounds(person)
        own = server_times(home / "opencoder")
    return statistics.median(seen), statistics.median(own)


def main() -> None:
    """Print one line."""
    seen, server = asyncio.run(measure())
    print(f"VS Code  key to ghost text {seen:6.1f} ms   server {server:5.1f} ms   ({KEYS} keys)")


if __name__ == "__main__":
    main()
