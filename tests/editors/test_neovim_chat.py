"""Conversations from a real Neovim, by nothing but what `vim.lsp` has."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.editors.neovim import Neovim, neovim, scripted
from tests.editors.test_neovim import ATTACHED, readme_config
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

pytestmark = pytest.mark.editor

# Deltas come as `LspProgress`; the answer is what the request's handler gets.
CHAT = """
streamed, answer = "", nil
vim.api.nvim_create_autocmd("LspProgress", { pattern = "delta", callback = function(event)
  streamed = streamed .. event.data.params.value.text
end })
function chat(arguments)
  streamed, answer = "", nil
  client = vim.lsp.get_clients({ name = "opencoder" })[1]
  local params = { command = "opencoder.chat", arguments = { arguments } }
  local _, id = client:request("workspace/executeCommand", params, function(error, result)
    answer = error or result
  end)
  request = id
  return "asked"
end
"""


async def answer(nvim: Neovim) -> dict[str, Any]:
    await nvim.until("answer ~= nil")
    return dict(json.loads(await nvim.lua("vim.json.encode(answer)")))


async def test_neovim_talks_with_the_model_stops_it_and_goes_on(tmp_path: Path) -> None:
    model = make_tokenizer_folder(tmp_path / "model")
    file = tmp_path / "mean.py"
    file.write_text("def mean(values):\n    return sum(values)\n", encoding="utf-8")
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        environment = scripted(fake, model)
        async with neovim(tmp_path, file, readme_config() + CHAT, environment) as nvim:
            await nvim.until(ATTACHED)
            fake.answer("One, two, three.")
            fake.pause_after(2)
            await nvim.lua('chat({ message = "Count.", token = "chat" })')
            await fake.paused()
            await nvim.until('streamed == "One, two, "')
            await nvim.lua("tostring(client:cancel_request(request))")
            await fake.cancelled()
            stopped = await answer(nvim)
            assert (stopped["text"], stopped["finishReason"]) == ("One, two, ", "stopped")
            fake.resume()
            fake.answer("three.")
            id = f'conversationId = "{stopped["conversationId"]}"'
            await nvim.lua(f'chat({{ {id}, ["continue"] = true, token = "chat" }})')
            assert (await answer(nvim))["text"] == "One, two, three."
            await nvim.until('streamed == "three."')
            attached = "attachments = { { uri = vim.uri_from_bufnr(0) } }"
            await nvim.lua(f'chat({{ message = "And this?", {id}, {attached} }})')
            assert (await answer(nvim))["text"] == "fake .answer"
            assert await nvim.lines() == ["def mean(values):", "    return sum(values)"]
