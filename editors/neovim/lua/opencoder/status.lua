--- How it is: what the server says, for statuslines and `:OpenCoder status`.

local M = {}

---@class opencoder.Status
---@field kind "loading"|"ready"|"busy"|"error"
---@field busy boolean
---@field message string

local states = {} ---@type table<integer, opencoder.Status> by client
local SIGNS = { loading = "…", ready = "", busy = "●", error = "✗" }

local function changed()
  vim.schedule(function()
    vim.api.nvim_exec_autocmds("User", { pattern = "OpenCoderStatus", modeline = false })
    vim.cmd.redrawstatus({ bang = true })
  end)
end

---@param client_id integer
---@param status opencoder.Status
function M.set(client_id, status)
  local before = states[client_id]
  states[client_id] = status
  changed()
  if status.kind == "ready" and before and before.kind == "loading" then
    require("opencoder.ghost").refresh() -- what was asked while it loaded got no answer
  end
end

---@param client_id integer
function M.forget(client_id)
  states[client_id] = nil
  changed()
end

--- Return what the server of the current buffer, or any server of ours, last said.
---@return opencoder.Status?
function M.get()
  local client = package.loaded["opencoder.client"] and require("opencoder.client").of(0)
  return client and states[client.id] or select(2, next(states))
end

--- Return it in a few characters: "OpenCoder", with a sign where there is something to know.
---@return string
function M.text()
  local status = M.get()
  if not status then
    return ""
  end
  local sign = require("opencoder.ghost").is_on() and SIGNS[status.kind] or "off"
  return sign == "" and "OpenCoder" or "OpenCoder " .. sign
end

--- Say what `opencoder.status` answered.
---@param result table
---@return string
function M.sentence(result)
  local model, engine = result.model, result.engine
  local name = type(model) == "table" and model.name or "no model yet"
  local counts = result.completions
  return ("%s, %s (%s); %d suggestions, %d accepted; opencoder-lsp %s"):format(
    name,
    engine.kind,
    engine.message,
    counts.shown,
    counts.accepted,
    result.version
  )
end

return M
