--- Ghost text by Neovim 0.12's |vim.lsp.inline_completion|: it asks and draws, we accept.
---
--- Accepting is ours, since the built-in one inserts what was typed meanwhile a second time, knows
--- no parts, and leaves no step of its own to undo.

local Suggestion = require("opencoder.ghost.suggestion")
local accept = require("opencoder.ghost.accept")
local client_of = require("opencoder.client").of
local own = require("opencoder.ghost.own")

local M = {}

local PATIENCE = 200 -- milliseconds for Neovim to hand over its suggestion
local NAMESPACE = "nvim.lsp.inline_completion" -- where it draws

--- Whether the built-in one shows something.
---@param buf integer
---@return boolean
local function has_drawn(buf)
  local namespace = vim.api.nvim_create_namespace(NAMESPACE)
  return vim.api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { limit = 1 })[1] ~= nil
end

---@param buf integer
---@return boolean
function M.is_visible(buf)
  return own.is_visible(buf) or has_drawn(buf)
end

---@param buf integer
---@param item vim.lsp.inline_completion.Item
---@return opencoder.Suggestion?
local function parsed(buf, item)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row, start, stop_row, stop = cursor[1] - 1, cursor[2], cursor[1] - 1, cursor[2]
  if item.range then
    row, start, stop_row, stop = item.range:to_extmark()
  end
  if stop_row ~= row then
    return nil
  end
  local text = item.insert_text
  text = type(text) == "table" and text.value or text --[[@as string]]
  if row == cursor[1] - 1 and cursor[2] > start then -- typed since it was asked for
    stop = stop + cursor[2] - start
  end
  local raw = { insertText = text, command = item.command }
  return Suggestion.new(buf, raw, text, { row = row, start = start, stop = stop })
end

--- Do something with the suggestion that the built-in one shows; it forgets it.
---@param buf integer
---@param what fun(client: vim.lsp.Client, suggestion: opencoder.Suggestion, rest: opencoder.Rest)
---@return boolean done false where something else was typed meanwhile
local function with_current(buf, what)
  local came, done = false, false
  local function on_accept(item)
    local client, suggestion = vim.lsp.get_client_by_id(item.client_id), parsed(buf, item)
    local rest = suggestion and suggestion:rest(buf)
    if client and suggestion and rest then
      what(client, suggestion, rest)
      done = true
    end
    came = true
  end
  if vim.lsp.inline_completion.get({ bufnr = buf, on_accept = on_accept }) then
    -- It is scheduled, and keys that are typed already must find it done.
    vim.wait(PATIENCE, function()
      return came
    end, 1)
  end
  return done
end

---@param buf integer
---@param part "all"|"word"|"line"
---@return boolean
function M.accept(buf, part)
  if own.is_visible(buf) then
    return own.accept(buf, part)
  end
  return M.is_visible(buf)
    and with_current(buf, function(client, suggestion, rest)
      if not accept.accept(client, buf, suggestion, rest, part) then
        own.adopt(buf, suggestion)
      end
    end)
end

---@param buf integer
---@param step integer
---@return boolean
function M.cycle(buf, step)
  if own.is_visible(buf) then
    return own.cycle(buf, step)
  end
  return M.is_visible(buf)
    and with_current(buf, function(_, suggestion)
      own.adopt(buf, suggestion)
      own.cycle(buf, step)
    end)
end

---@param buf integer
---@return boolean
function M.dismiss(buf)
  return own.dismiss(buf) or M.is_visible(buf) and with_current(buf, function() end)
end

--- It cannot be asked to ask: our own one does.
---@param buf integer
---@return boolean
function M.suggest(buf)
  return own.suggest(buf)
end

--- It asks when the cursor moves.
---@param buf integer
function M.refresh(buf)
  vim.api.nvim_exec_autocmds("CursorMovedI", { buffer = buf, modeline = false })
end

---@param buf integer
---@param group integer
function M.attach(buf, group)
  vim.lsp.inline_completion.enable(true, { bufnr = buf })
  vim.api.nvim_create_autocmd({ "CursorMovedI", "TextChangedP" }, {
    group = group,
    buffer = buf,
    desc = "Draw what is left of a suggestion that was accepted in part",
    callback = function()
      own.redraw(buf)
    end,
  })
  vim.api.nvim_create_autocmd({ "InsertLeave", "BufLeave" }, {
    group = group,
    buffer = buf,
    callback = function()
      own.clear(buf)
    end,
  })
  vim.api.nvim_create_autocmd("LspRequest", {
    group = group,
    buffer = buf,
    desc = "The built-in one has a new suggestion",
    callback = function(event)
      local request = event.data.request
      local is_done = request.type == "complete"
        and request.method == "textDocument/inlineCompletion"
      local client = client_of(buf)
      local is_ours = client ~= nil and client.id == event.data.client_id
      if not (is_done and is_ours) then
        return
      end
      -- The answer itself comes behind this event, and none to a request that was cancelled: what
      -- is shown stays until there is another one, or keys in between would find nothing.
      vim.schedule(function()
        if vim.api.nvim_buf_is_valid(buf) and has_drawn(buf) and not own.is_asking(buf) then
          own.clear(buf)
        end
      end)
    end,
  })
end

---@param buf integer
function M.detach(buf)
  own.detach(buf)
  if vim.api.nvim_buf_is_valid(buf) then
    vim.lsp.inline_completion.enable(false, { bufnr = buf })
  end
end

return M
