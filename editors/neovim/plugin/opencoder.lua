-- What is there before anything of OpenCoder is loaded: its command, its keys and its documents.
if vim.g.loaded_opencoder then
  return
end
vim.g.loaded_opencoder = true

vim.api.nvim_create_user_command("OpenCoder", function(command)
  require("opencoder.commands").run(command)
end, {
  nargs = "*",
  range = true,
  bang = true,
  desc = "OpenCoder: explain, fix, document, test, refactor, chat and more",
  complete = function(lead, line)
    return require("opencoder.commands").complete(lead, line)
  end,
})

local insert = {
  ["accept"] = { "accept", "all" },
  ["accept-word"] = { "accept", "word" },
  ["accept-line"] = { "accept", "line" },
  ["next"] = { "next" },
  ["previous"] = { "previous" },
  ["dismiss"] = { "dismiss" },
  ["suggest"] = { "suggest" },
}
for name, call in pairs(insert) do
  vim.keymap.set("i", ("<Plug>(opencoder-%s)"):format(name), function()
    require("opencoder")[call[1]](call[2])
  end, { desc = "OpenCoder: " .. name })
end
for _, name in ipairs({ "explain", "fix", "document", "test", "refactor", "chat" }) do
  local plug = ("<Plug>(opencoder-%s)"):format(name)
  local options = { desc = "OpenCoder: " .. name }
  vim.keymap.set("n", plug, ("<Cmd>OpenCoder %s<CR>"):format(name), options)
  vim.keymap.set("x", plug, (":OpenCoder %s<CR>"):format(name), options)
end

vim.api.nvim_create_autocmd("BufReadCmd", {
  pattern = "opencoder://chat/*",
  group = vim.api.nvim_create_augroup("opencoder.documents", {}),
  desc = "Open a conversation by its name",
  callback = function(event)
    require("opencoder.chat").restore(event.buf, event.match)
  end,
})
