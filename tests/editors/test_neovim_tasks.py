"""Explain, fix, document, test and refactor from a real Neovim: bare `vim.lsp`, no plugin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.editors.neovim import Neovim, neovim, scripted
from tests.editors.test_neovim import ATTACHED, readme_config
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

pytestmark = pytest.mark.editor

SOURCE = "def add(a, b):\n    return a - b\n\n\nprint(add(1, 2))\n"
FIXED = "```python\ndef add(a, b):\n    return a + b\n```"
# What a user may write: run a command of the server's and apply the edit of its answer.
CONFIG = """
vim.o.hidden = true
local function client() return vim.lsp.get_clients({ name = "opencoder", bufnr = 0 })[1] end
function _G.ask(task, extra)
  local range = vim.lsp.util.make_range_params(0, "utf-16").range
  local arguments = { uri = vim.uri_from_bufnr(0), range = range }
  arguments = vim.tbl_extend("force", arguments, extra or {})
  _G.answer = nil
  local params = { command = "opencoder." .. task, arguments = { arguments } }
  client():request("workspace/executeCommand", params, function(problem, result)
    _G.answer = problem and { text = problem.message } or result
    local edit = result and result.edit
    if edit and edit ~= vim.NIL then
      vim.lsp.util.apply_workspace_edit(edit, client().offset_encoding)
    end
  end)
end
"""


@asynccontextmanager
async def editing(folder: Path, fake: FakeEngine) -> AsyncIterator[Neovim]:
    """A Neovim with the cursor in the function of the file."""
    model = make_tokenizer_folder(folder / "model")
    work = folder / "work"
    (work / "tests").mkdir(parents=True)
    file = work / "sums.py"
    file.write_text(SOURCE, encoding="utf-8")
    environment = scripted(fake, model)
    async with neovim(folder, file, readme_config() + CONFIG, environment) as nvim:
        await nvim.until(ATTACHED)
        await nvim.type("j")
        yield nvim


async def asked(nvim: Neovim, task: str, extra: str = "{}") -> str:
    """Run a command of the server's at the cursor, wait for its answer and return its text."""
    await nvim.type(f":lua ask('{task}', {extra})<CR>")
    await nvim.until("_G.answer ~= nil")
    return await nvim.lua("_G.answer.text")


async def test_bare_calls_explain_fix_document_and_refactor(tmp_path: Path) -> None:
    async with FakeEngine(tmp_path / "engine.sock") as fake, editing(tmp_path, fake) as nvim:
        fake.answer("It subtracts.")
        assert await asked(nvim, "explain") == "It subtracts."
        fake.answer(FIXED)
        await asked(nvim, "fix")
        assert (await nvim.lines())[:2] == ["def add(a, b):", "    return a + b"]
        fake.answer('```python\n"""Add two numbers."""\n```')
        await asked(nvim, "document")
        assert (await nvim.lines())[:3] == [
            "def add(a, b):",
            '    """Add two numbers."""',
            "    return a + b",
        ]
        fake.answer('```python\ndef add(x, y):\n    """Add."""\n    return x + y\n```')
        await asked(nvim, "refactor", "{ instruction = 'x and y' }")
        assert await nvim.lines() == [
            "def add(x, y):",
            '    """Add."""',
            "    return x + y",
            "",
            "",
            "print(add(1, 2))",
        ]


async def test_a_bare_call_writes_tests_into_a_new_file(tmp_path: Path) -> None:
    async with FakeEngine(tmp_path / "engine.sock") as fake, editing(tmp_path, fake) as nvim:
        fake.answer("```python\ndef test_add():\n    assert add(1, 2) == 3\n```")
        await asked(nvim, "test")
        await nvim.type(":execute 'buffer' bufnr('tests/test_sums.py')<CR>")
        await nvim.until('vim.api.nvim_buf_get_name(0):find("/tests/test_sums.py", 1, true) ~= nil')
        assert (await nvim.lines())[:2] == ["def test_add():", "    assert add(1, 2) == 3"]


async def test_neovim_s_own_code_actions_edit(tmp_path: Path) -> None:
    async with FakeEngine(tmp_path / "engine.sock") as fake, editing(tmp_path, fake) as nvim:
        fake.answer('"""Add."""')
        action = (
            "vim.lsp.buf.code_action({ apply = true, filter = function(action) "
            "return action.title == 'Document with OpenCoder' end })"
        )
        await nvim.type(f":lua {action}<CR>")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 6")
        assert (await nvim.lines())[1] == '    """Add."""'
