--- OpenCoder in Neovim: what a configuration and other plugins call. See `:help opencoder`.

local M = {}

---@param message string
---@param level? integer
local function notify(message, level)
  vim.notify("OpenCoder: " .. message, level or vim.log.levels.INFO)
end
M.notify = notify

--- Start OpenCoder with the first file; until then nothing but a few autocommands and keys is set.
---@param options? opencoder.Config
function M.setup(options)
  local config = require("opencoder.config")
  for _, problem in ipairs(config.set(options)) do
    notify(problem, vim.log.levels.WARN)
  end
  require("opencoder.keys").set(config.current.keys)
  local group = vim.api.nvim_create_augroup("opencoder", {})
  vim.api.nvim_create_autocmd("FileType", {
    group = group,
    desc = "Start OpenCoder with the first file",
    callback = function(event)
      if vim.bo[event.buf].buftype ~= "" then
        return false
      end
      vim.schedule(M.start)
      return true -- which removes this autocommand
    end,
  })
  if vim.v.vim_did_enter == 1 and vim.bo.filetype ~= "" then -- a plugin manager was lazy
    vim.api.nvim_exec_autocmds("FileType", { group = group, modeline = false })
  end
end

--- Start the language server and ghost text now.
function M.start()
  if vim.v.vim_did_enter == 0 then
    vim.api.nvim_create_autocmd("VimEnter", { once = true, callback = M.start })
    return
  end
  require("opencoder.ghost").start()
  require("opencoder.client").start()
end

--- Accept the suggestion that is shown, or the next word or line of it.
---@param part? "all"|"word"|"line"
---@return boolean accepted false where none is shown
function M.accept(part)
  return require("opencoder.ghost").accept(part or "all")
end

--- Show the next suggestion, asking for several if there is only one.
---@return boolean
function M.next()
  return require("opencoder.ghost").cycle(1)
end

--- Show the previous suggestion.
---@return boolean
function M.previous()
  return require("opencoder.ghost").cycle(-1)
end

--- Take the suggestion away until the next key.
---@return boolean
function M.dismiss()
  return require("opencoder.ghost").dismiss()
end

--- Ask for suggestions here and now, several to choose from.
---@return boolean
function M.suggest()
  return require("opencoder.ghost").suggest()
end

--- Whether a suggestion is shown, for the mappings of other plugins.
---@return boolean
function M.is_visible()
  return require("opencoder.ghost").is_visible()
end

--- Turn ghost text on or off, for all buffers.
---@param on? boolean nothing turns it over
---@return boolean on
function M.toggle(on)
  return require("opencoder.ghost").toggle(on)
end

--- The state in a few characters, for a statusline; "" before OpenCoder is started.
---@return string
function M.statusline()
  return require("opencoder.status").text()
end

return M
