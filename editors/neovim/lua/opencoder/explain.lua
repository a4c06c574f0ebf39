--- `:OpenCoder explain`.

local View = require("opencoder.view")
local client = require("opencoder.client")
local config = require("opencoder.config")
local inline = require("opencoder.inline")
local ranges = require("opencoder.range")

local M = {}

---@param part opencoder.Part
---@return table
local function argument(part)
  return { uri = vim.uri_from_bufnr(part.buf), range = part.range }
end

---@param err string?
---@param result table?
---@return string? trouble
local function trouble(err, result)
  if err then
    return err
  end
  return result and result.finishReason == "length" and "cut off at `chat.max_tokens`" or nil
end

---@param running vim.lsp.Client
---@param part opencoder.Part
local function in_window(running, part)
  local call, view ---@type opencoder.Call, opencoder.View
  local function cancel()
    call.cancel()
  end
  view = View.open({
    title = "Explain …",
    part = part,
    on_close = cancel,
    on_stop = cancel,
  })
  call = client.execute(running, "opencoder.explain", argument(part), {
    text = function(text)
      view:append(text)
    end,
    done = function(err, result)
      local problem = trouble(err, result)
      view:trim()
      view:name(problem and ("Explain: %s"):format(problem) or "Explain", " q close · s split ")
    end,
  })
end

---@param running vim.lsp.Client
---@param part opencoder.Part
local function in_lines(running, part)
  local call ---@type opencoder.Call
  local shown = inline.open(part, function()
    call.cancel()
  end)
  call = client.execute(running, "opencoder.explain", argument(part), {
    text = function(text)
      shown:append(text)
    end,
    done = function(err, result)
      local problem = trouble(err, result)
      if problem and problem ~= client.STOPPED then
        shown:append(("\n[%s]"):format(problem))
      end
    end,
  })
end

--- Explain a range, or what is at the cursor; where lines explain something already, they go.
---@param command vim.api.keyset.create_user_command.command_args
---@param running vim.lsp.Client
function M.run(command, running)
  if inline.close(vim.api.nvim_get_current_buf()) then
    return
  end
  local show = config.current.explain.view == "inline" and in_lines or in_window
  show(running, ranges.of(command, running))
end

return M
