"""A real Neovim, with the ten lines of the README and no plugin."""

import re
from pathlib import Path

import pytest

from tests.editors.neovim import neovim, scripted
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

pytestmark = pytest.mark.editor

README = Path(__file__).parents[2] / "README.md"
ATTACHED = '(vim.lsp.get_clients({ name = "opencoder", bufnr = 0 })[1] or {}).initialized == true'
SOURCE = "def mean(values):\n    return sum(values) / len(\n\nprint(mean([1, 2]))\n"


def readme_config() -> str:
    """Return the Lua lines that the README tells a user to write."""
    (block,) = re.findall(r"```lua\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def write(folder: Path) -> Path:
    """Write the file to edit."""
    file = folder / "mean.py"
    file.write_text(SOURCE, encoding="utf-8")
    return file


def test_the_readme_has_ten_lines_for_neovim() -> None:
    assert len(readme_config().strip().splitlines()) == 10


async def test_neovim_attaches_with_the_readmes_lines_and_completes_at_the_cursor(
    tmp_path: Path,
) -> None:
    model = make_tokenizer_folder(tmp_path / "model")
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        fake.answer("values)\n```\n")
        environment = scripted(fake, model)
        async with neovim(tmp_path, write(tmp_path), readme_config(), environment) as nvim:
            await nvim.until(ATTACHED)
            await nvim.type("jA<C-l>")
            await nvim.until('vim.api.nvim_get_current_line():sub(-7) == "values)"')
            await nvim.type("  # typed on<Esc>")
            assert await nvim.lines() == [
                "def mean(values):",
                "    return sum(values) / len(values)  # typed on",
                "",
                "print(mean([1, 2]))",
            ]


async def test_neovim_gets_a_completion_of_the_demo_model(
    tmp_path: Path, demo_environment: dict[str, str]
) -> None:
    async with neovim(tmp_path, write(tmp_path), readme_config(), demo_environment) as nvim:
        await nvim.until(ATTACHED)
        await nvim.type("jA<C-l>")
        await nvim.until('vim.api.nvim_get_current_line():find("values)", 30, true) ~= nil')
