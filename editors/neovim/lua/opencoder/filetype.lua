--- File types of our own buffers.

local M = {}

--- Set a file type, without the error that Neovim's own plugin for Markdown raises where the
--- parser is not installed, as some distributions have it; the old highlighting is left then.
---@param buf integer
---@param filetype string
function M.set(buf, filetype)
  vim.cmd(("silent! call setbufvar(%d, '&filetype', '%s')"):format(buf, filetype))
end

return M
