--- Ghost text by this plugin itself: asked for at each key, at most one request for a buffer.

local Suggestion = require("opencoder.ghost.suggestion")
local accept = require("opencoder.ghost.accept")
local client_of = require("opencoder.client").of
local render = require("opencoder.ghost.render")

local M = {}

local METHOD = "textDocument/inlineCompletion"
local INVOKED, AUTOMATIC = 1, 2 -- LSP 3.18, InlineCompletionTriggerKind

---@class opencoder.Ghost what there is for one buffer
---@field suggestions opencoder.Suggestion[]
---@field index integer which of them is shown
---@field invoked boolean whether the user asked for several
---@field request? integer under way
---@field asked? string for which text and cursor
---@field dismissed? string likewise
---@field step? integer how far to go once several are there

local ghosts = {} ---@type table<integer, opencoder.Ghost> by buffer
local told = {} ---@type table<integer, string> the id that was last told as shown

---@param buf integer
---@return opencoder.Ghost
local function ghost_of(buf)
  ghosts[buf] = ghosts[buf] or { suggestions = {}, index = 1, invoked = false }
  return ghosts[buf]
end

---@param buf integer
---@return boolean
local function is_typing(buf)
  return vim.api.nvim_get_current_buf() == buf
    and vim.startswith(vim.api.nvim_get_mode().mode, "i")
    and vim.fn.reg_executing() == ""
    and vim.bo[buf].modifiable
end

---@param buf integer
---@return string
local function place(buf)
  local cursor = vim.api.nvim_win_get_cursor(0)
  return ("%d:%d:%d"):format(vim.api.nvim_buf_get_changedtick(buf), cursor[1], cursor[2])
end

---@param buf integer
---@param ghost opencoder.Ghost
local function cancel(buf, ghost)
  if ghost.request then
    local client = client_of(buf)
    if client then
      client:cancel_request(ghost.request)
    end
    ghost.request = nil
  end
end

--- Take everything away and ask for nothing more.
---@param buf integer
function M.clear(buf)
  local ghost = ghosts[buf]
  if ghost then
    cancel(buf, ghost)
    ghosts[buf] = nil
    render.clear(buf)
  end
end

---@param buf integer
---@param ghost opencoder.Ghost
---@return opencoder.Suggestion?, opencoder.Rest?
local function current(buf, ghost)
  local suggestion = ghost.suggestions[ghost.index]
  local rest = suggestion and suggestion:rest(buf)
  if rest then
    return suggestion, rest
  end
end

---@param buf integer
---@param suggestion opencoder.Suggestion
local function tell_shown(buf, suggestion)
  local client, id = client_of(buf), suggestion:id()
  if client and id and told[buf] ~= id then
    told[buf] = id
    client:notify("textDocument/didShowCompletion", { item = suggestion.item })
  end
end

--- Draw what fits the text as it is now; what does not is forgotten.
---@param buf integer
---@param ghost opencoder.Ghost
local function draw(buf, ghost)
  local suggestion, rest = current(buf, ghost)
  if not suggestion or not rest then
    ghost.suggestions, ghost.index = {}, 1
    return render.clear(buf)
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local count = ghost.invoked and ("%d/%d"):format(ghost.index, #ghost.suggestions) or nil
  render.draw(buf, cursor[1] - 1, cursor[2], rest, count)
  tell_shown(buf, suggestion)
end

---@param buf integer
---@param client vim.lsp.Client
---@param result table?
---@param invoked boolean
local function answered(buf, client, result, invoked)
  local ghost, found = ghost_of(buf), {}
  for _, item in ipairs(result and (result.items or result) or {}) do
    found[#found + 1] = Suggestion.of(buf, item, client.offset_encoding)
  end
  if found[1] then -- else what is shown and fits may stay
    ghost.suggestions, ghost.invoked = found, invoked and #found > 1
    ghost.index = (ghost.step or 0) % #found + 1
  end
  ghost.step = nil
  draw(buf, ghost)
end

---@param buf integer
---@param kind integer
---@return boolean
local function ask(buf, kind)
  local client, ghost, here = client_of(buf), ghost_of(buf), place(buf)
  if not client or not client:supports_method(METHOD) then
    return false
  end
  if kind == AUTOMATIC and ghost.asked == here then
    return true
  end
  cancel(buf, ghost)
  ghost.asked = here
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  local sent, id ---@type boolean, integer?
  sent, id = client:request(METHOD, params, function(err, result)
    if ghosts[buf] ~= ghost or not vim.api.nvim_buf_is_valid(buf) then
      return
    end
    if ghost.request ~= id then -- it had been answered when another one took its place
      return
    end
    ghost.request = nil
    if not err and is_typing(buf) and place(buf) == here then
      answered(buf, client, result, kind == INVOKED)
    end
  end, buf)
  ghost.request = sent and id or nil
  return sent
end

--- Draw and ask anew after the text or the cursor has changed.
---@param buf integer
function M.update(buf)
  if not is_typing(buf) then
    return M.clear(buf)
  end
  local ghost = ghost_of(buf)
  if ghost.dismissed == place(buf) or ghost.asked == place(buf) then
    return
  end
  ghost.invoked, ghost.step = false, nil
  draw(buf, ghost)
  ask(buf, AUTOMATIC)
end

--- Ask again for what has got no answer.
---@param buf integer
function M.refresh(buf)
  local ghost = ghosts[buf]
  if ghost and not ghost.suggestions[1] then
    ghost.asked = nil
    M.update(buf)
  end
end

---@param buf integer
---@return boolean
function M.is_visible(buf)
  local ghost = ghosts[buf]
  return ghost ~= nil and current(buf, ghost) ~= nil
end

---@param buf integer
---@param part "all"|"word"|"line"
---@return boolean
function M.accept(buf, part)
  local ghost, client = ghosts[buf], client_of(buf)
  if not ghost or not client then
    return false
  end
  local suggestion, rest = current(buf, ghost)
  if not suggestion or not rest then
    return false
  end
  render.clear(buf)
  if accept.accept(client, buf, suggestion, rest, part) then
    M.clear(buf)
  else
    draw(buf, ghost)
  end
  return true
end

---@param buf integer
---@param step integer
---@return boolean
function M.cycle(buf, step)
  local ghost = ghosts[buf]
  if not ghost or not current(buf, ghost) then
    return false
  end
  if not ghost.invoked then
    ghost.step = step -- who asks for the next one has seen the first
    return ask(buf, INVOKED)
  end
  ghost.index = (ghost.index - 1 + step) % #ghost.suggestions + 1
  draw(buf, ghost)
  return true
end

---@param buf integer
---@return boolean
function M.suggest(buf)
  return is_typing(buf) and ask(buf, INVOKED)
end

---@param buf integer
---@return boolean
function M.dismiss(buf)
  if not M.is_visible(buf) then
    return false
  end
  M.clear(buf)
  ghost_of(buf).dismissed = place(buf)
  return true
end

--- Show what is left of a suggestion that another backend had, until it has a new one.
---@param buf integer
---@param suggestion opencoder.Suggestion
function M.adopt(buf, suggestion)
  local ghost = ghost_of(buf)
  ghost.suggestions, ghost.index = { suggestion }, 1
  draw(buf, ghost)
end

--- Whether a request of ours is under way.
---@param buf integer
---@return boolean
function M.is_asking(buf)
  return ghosts[buf] ~= nil and ghosts[buf].request ~= nil
end

--- Draw anew what was adopted, and ask for nothing.
---@param buf integer
function M.redraw(buf)
  local ghost = ghosts[buf]
  if ghost then
    draw(buf, ghost)
  end
end

---@param buf integer
---@param group integer
function M.attach(buf, group)
  vim.api.nvim_create_autocmd({ "InsertEnter", "CursorMovedI", "TextChangedI", "TextChangedP" }, {
    group = group,
    buffer = buf,
    desc = "Show and ask for suggestions",
    callback = function()
      M.update(buf)
    end,
  })
  vim.api.nvim_create_autocmd({ "InsertLeave", "BufLeave" }, {
    group = group,
    buffer = buf,
    desc = "Take suggestions away",
    callback = function()
      M.clear(buf)
    end,
  })
end

---@param buf integer
function M.detach(buf)
  M.clear(buf)
  told[buf] = nil
end

return M
