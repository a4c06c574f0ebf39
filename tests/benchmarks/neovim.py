"""
How long it takes from a key to the ghost text on the screen, in each Neovim that is here.

    python -m tests.benchmarks.neovim

The engine is a fake that answers at once: what is measured is Neovim, the plugin and the server,
from the key's going out to the redraw's coming back; beside it the server's own time, from the
request to its answer.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.editors.conftest import ATTACHED, neovim_012, own_ghost_text
from tests.editors.neovim import NVIM
from tests.editors.window import Window, window
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

_ROUNDS = 20
_SERVER = """
local client = vim.lsp.get_clients({ name = 'opencoder' })[1]
local request = client.request
_G.times = {}
client.request = function(self, method, params, handler, buf)
  local began = vim.uv.hrtime()
  return request(self, method, params, function(...)
    if method == 'textDocument/inlineCompletion' then
      table.insert(_G.times, (vim.uv.hrtime() - began) / 1e6)
    end
    return handler(...)
  end, buf)
end
"""


async def _rounds(person: Window, engine: FakeEngine, rounds: int) -> list[float]:
    """Return milliseconds from a key to the text that it brings."""
    times = []
    for number in range(rounds):
        text = f"marker_{number:02}"
        engine.default = f" = {text}\n"
        # Another text each time: the server remembers what it said.
        await person.lua("vim.api.nvim_buf_set_lines(0, 0, 1, false, { 'n = ' .. ... })", number)
        await person.type("<Esc>ggo")
        await person.holds("vim.api.nvim_get_mode().mode == 'i'")
        began = time.perf_counter()
        await person.type("x")
        await person.shows(text)
        times.append(1000 * (time.perf_counter() - began))
        await person.type("<Esc>dd")
        await person.hides(text)
    return times


async def measure(binary: Path, backend: str, rounds: int = _ROUNDS) -> tuple[float, float]:
    """Return the medians of key to screen and of the server alone, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp") as name:
        folder = Path(name)
        file = folder / "mean.py"
        file.write_text("print(1)\n" * 50, encoding="utf-8")
        model = make_tokenizer_folder(folder / "model")
        async with FakeEngine(folder / "engine.sock") as engine:
            environment = {
                "OPENCODER_HOME": str(folder / "home"),
                "OPENCODER_ENGINE_URL": engine.url,
                "OPENCODER_MODEL_NAME": str(model),
            }
            setup = own_ghost_text(backend)
            async with window(binary, folder, file, setup=setup, environment=environment) as person:
                await person.holds(ATTACHED)
                await engine.leased()
                await person.lua(_SERVER)
                seen = await _rounds(person, engine, rounds)
                server = await person.lua("return _G.times")
    return statistics.median(seen), statistics.median(server)


def _start_up(binary: Path) -> float:
    """Return milliseconds that sourcing the plugin and `setup()` take, as Neovim counts them."""
    code = (
        "local began = vim.uv.hrtime() vim.cmd.source(arg[1] .. '/plugin/opencoder.lua')"
        " vim.opt.runtimepath:prepend(arg[1]) require('opencoder').setup({})"
        " io.stdout:write((vim.uv.hrtime() - began) / 1e6)"
    )
    plugin = Path(__file__).parents[2] / "editors" / "neovim"
    times = []
    for _ in range(15):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(code)
            script.flush()
            command = f"'{binary}' --headless --clean -l {script.name} '{plugin}'"
            times.append(float(os.popen(command).read()))
    return statistics.median(times)


def main() -> None:
    """Print a line for each way in which ghost text comes."""
    ways = [("0.11, own", NVIM, "own")]
    newer = neovim_012()
    if isinstance(newer, str):
        print(newer, file=sys.stderr)
    else:
        ways += [("0.12, built-in", newer, "builtin"), ("0.12, own", newer, "own")]
    for name, binary, backend in ways:
        seen, server = asyncio.run(measure(binary, backend))
        print(
            f"Neovim {name:14}  key to ghost text {seen:6.1f} ms   server {server:5.1f} ms   "
            f"start-up {_start_up(binary):.2f} ms"
        )


if __name__ == "__main__":
    main()
