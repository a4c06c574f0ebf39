"""The Neovim plugin with the real server, the real engine and the real demo model."""

from pathlib import Path

import pytest

from tests.editors.conftest import ATTACHED, Lane, own_ghost_text
from tests.editors.window import window

pytestmark = pytest.mark.editor

SOURCE = "def mean(values):\n    return sum(values) / len(\n\nprint(mean([1, 2]))\n"
READY = "require('opencoder').statusline() == 'OpenCoder'"
ENGINE = (
    "vim.lsp.get_clients({ name = 'opencoder' })[1]:request_sync('workspace/executeCommand',"
    " { command = 'opencoder.status', arguments = { vim.empty_dict() } }, 50000).result.engine"
)


def write(folder: Path) -> Path:
    """Write the file to edit."""
    file = folder / "mean.py"
    file.write_text(SOURCE, encoding="utf-8")
    return file


async def test_the_demo_model_completes_and_explains_in_neovim(
    lane: Lane, tmp_path: Path, demo_environment: dict[str, str]
) -> None:
    # Else it explains for as long as it likes.
    setup = own_ghost_text(lane.backend, "settings = { chat = { max_tokens = 40 } }")
    file = write(tmp_path)
    async with window(
        lane.binary, tmp_path, file, setup=setup, environment=demo_environment
    ) as person:
        await person.holds(f"{ATTACHED} and {READY}")
        await person.type("jA")
        await person.shows("    return sum(values) / len(values)")
        await person.type("<Tab><Esc>")
        await person.holds("vim.api.nvim_get_current_line():sub(-7) == 'values)'")
        await person.type(":1,2OpenCoder explain<CR>")
        await person.shows("Explain")
        await person.hides("Explain …")  # as its title is until it has ended
        assert len("".join(await person.lines())) > 20


async def test_two_neovims_share_one_engine(
    tmp_path: Path, nvim: Path, demo_environment: dict[str, str]
) -> None:
    folders = [tmp_path / name for name in ("left", "right")]
    for folder in folders:
        folder.mkdir()
    files = [write(folder) for folder in folders]
    environment = demo_environment
    async with (
        window(nvim, folders[0], files[0], environment=environment) as left,
        window(nvim, folders[1], files[1], environment=environment) as right,
    ):
        for person in (left, right):
            await person.holds(f"{ATTACHED} and {READY}")
        processes = [await one.lua(f"return {ENGINE}.health.pid") for one in (left, right)]
        assert processes[0] == processes[1]
        for person in (left, right):
            await person.type("jA")
            await person.shows("    return sum(values) / len(values)")
