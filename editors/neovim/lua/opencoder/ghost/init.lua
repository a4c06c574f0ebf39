--- Ghost text: which backend has it, where it is on, and what the keys do with it.

local config = require("opencoder.config")

local M = {}

---@class opencoder.Backend
---@field attach fun(buf: integer, group: integer)
---@field detach fun(buf: integer)
---@field is_visible fun(buf: integer): boolean
---@field accept fun(buf: integer, part: "all"|"word"|"line"): boolean
---@field cycle fun(buf: integer, step: integer): boolean
---@field dismiss fun(buf: integer): boolean
---@field suggest fun(buf: integer): boolean
---@field refresh fun(buf: integer)

local attached = {} ---@type table<integer, integer> autocommand groups by buffer
local is_on = nil ---@type boolean?

---@return opencoder.Backend
local function backend()
  local name = config.current.ghost_text.backend
  local builtin = vim.lsp.inline_completion ~= nil and name == "builtin"
  return require(builtin and "opencoder.ghost.builtin" or "opencoder.ghost.own")
end

--- Whether suggestions are shown as you type.
---@return boolean
function M.is_on()
  if is_on == nil then
    return config.current.ghost_text.enabled
  end
  return is_on
end

---@param buf integer
local function detach(buf)
  local group = attached[buf]
  if group then
    attached[buf] = nil
    vim.api.nvim_del_augroup_by_id(group)
    backend().detach(buf)
  end
end

---@param buf integer
local function attach(buf)
  if M.is_on() and not attached[buf] then
    attached[buf] = vim.api.nvim_create_augroup(("opencoder.ghost.%d"):format(buf), {})
    backend().attach(buf, attached[buf])
  end
end

--- Attach to the buffers of our server, those that come later included.
function M.start()
  local client = require("opencoder.client")
  local group = vim.api.nvim_create_augroup("opencoder.ghost", {})
  vim.api.nvim_create_autocmd("LspAttach", {
    group = group,
    callback = function(event)
      if client.is_ours(event.data.client_id) then
        attach(event.buf)
      end
    end,
  })
  vim.api.nvim_create_autocmd("LspDetach", {
    group = group,
    callback = function(event)
      if client.is_ours(event.data.client_id) then
        detach(event.buf)
      end
    end,
  })
end

---@param on? boolean
---@return boolean on
function M.toggle(on)
  if on == nil then
    on = not M.is_on()
  end
  is_on = on
  local change = on and attach or detach
  for _, client in ipairs(vim.lsp.get_clients({ name = require("opencoder.client").NAME })) do
    for buf in pairs(client.attached_buffers) do
      change(buf)
    end
  end
  vim.cmd.redrawstatus({ bang = true })
  return on
end

--- Whether the keys have something to act on: not while an item of the popup menu is selected,
--- which they would take the text from under.
---@param buf integer
---@return boolean
local function is_ready(buf)
  if not attached[buf] then
    return false
  end
  return vim.fn.pumvisible() == 0 or vim.fn.complete_info({ "selected" }).selected < 0
end

--- Ask anew where the user types.
function M.refresh()
  local buf = vim.api.nvim_get_current_buf()
  if attached[buf] and vim.startswith(vim.api.nvim_get_mode().mode, "i") then
    backend().refresh(buf)
  end
end

---@return boolean
function M.is_visible()
  local buf = vim.api.nvim_get_current_buf()
  return attached[buf] ~= nil and backend().is_visible(buf)
end

---@param part "all"|"word"|"line"
---@return boolean
function M.accept(part)
  local buf = vim.api.nvim_get_current_buf()
  return is_ready(buf) and backend().accept(buf, part)
end

---@param step integer
---@return boolean
function M.cycle(step)
  local buf = vim.api.nvim_get_current_buf()
  return is_ready(buf) and backend().cycle(buf, step)
end

---@return boolean
function M.dismiss()
  local buf = vim.api.nvim_get_current_buf()
  return is_ready(buf) and backend().dismiss(buf)
end

---@return boolean
function M.suggest()
  local buf = vim.api.nvim_get_current_buf()
  return is_ready(buf) and backend().suggest(buf)
end

return M
