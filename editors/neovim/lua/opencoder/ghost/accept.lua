--- Putting a suggestion into the buffer, in one step to undo, and telling the server.

local parts = require("opencoder.ghost.parts")

local M = {}

local UNDO_BREAK = vim.api.nvim_replace_termcodes("<C-g>u", true, true, true)

local taken = {} ---@type table<string, integer> UTF-16 units taken of a suggestion, by its id

---@param text string
---@return integer
local function units(text)
  return vim.str_utfindex(text, "utf-16")
end

--- Put text where the cursor is, over so many bytes right of it, and the cursor behind it.
---@param buf integer
---@param text string
---@param over integer
local function insert(buf, text, over)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row, col = cursor[1] - 1, cursor[2]
  local lines = vim.split(text, "\n", { plain = true })
  vim.cmd("let &undolevels = &undolevels") -- what was typed before is another step
  vim.api.nvim_buf_set_text(buf, row, col, row, col + over, lines)
  local last = #lines[#lines] + (#lines == 1 and col or 0)
  vim.api.nvim_win_set_cursor(0, { row + #lines, last })
  if vim.startswith(vim.api.nvim_get_mode().mode, "i") then
    vim.api.nvim_feedkeys(UNDO_BREAK, "ni", false) -- and so is what comes
  end
end

---@param client vim.lsp.Client
---@param buf integer
---@param suggestion opencoder.Suggestion
---@param part string
---@param is_whole boolean
local function tell(client, buf, suggestion, part, is_whole)
  local command, id = suggestion.item.command, suggestion:id()
  local before = id and taken[id]
  if id then
    -- The server offers what is left under the same id: what is taken bit by bit is added up.
    taken[id] = (before or 0) + units(part)
  end
  if is_whole and command then
    if before then
      command = vim.deepcopy(command)
      command.arguments[1].acceptedLength = taken[id]
    end
    client:exec_cmd(command, { bufnr = buf })
  elseif command then
    local params = { item = suggestion.item, acceptedLength = id and taken[id] or units(part) }
    client:notify("textDocument/didPartiallyAcceptCompletion", params)
  end
  if is_whole and id then
    taken[id] = nil
  end
end

--- Accept a part of what is left of a suggestion.
---@param client vim.lsp.Client
---@param buf integer
---@param suggestion opencoder.Suggestion
---@param rest opencoder.Rest
---@param part "all"|"word"|"line"
---@return boolean whole whether nothing is left
function M.accept(client, buf, suggestion, rest, part)
  local text = parts.of(rest.text, part)
  local is_whole = text == rest.text
  insert(buf, text, is_whole and #rest.replaced or 0)
  tell(client, buf, suggestion, text, is_whole)
  return is_whole
end

return M
