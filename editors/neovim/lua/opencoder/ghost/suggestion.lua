--- One suggestion: where it belongs, and what is left of it as the text around the cursor changes.

---@class opencoder.Suggestion
---@field text string what it inserts, lines ended by "\n"
---@field row integer where that begins, from 0
---@field col integer in bytes, from 0
---@field head string the line left of it
---@field replaced string what it replaces, right of the cursor when it was made
---@field tail string the line right of that
---@field item table as the server sent it
local Suggestion = {}
Suggestion.__index = Suggestion

-- What an editor may close by itself while the user types.
local CLOSERS = "^[%)%]}\"'`>]*$"
local MOST_CLOSERS = 4

---@class opencoder.Rest what is left of a suggestion at the cursor
---@field text string not empty
---@field typed string what of it stands in the buffer
---@field replaced string the text right of the cursor that it replaces
---@field tail string the line right of that

--- Take an item of LSP; without a range it belongs to the cursor of the current window.
---@param buf integer
---@param item table
---@param encoding string
---@return opencoder.Suggestion?
function Suggestion.of(buf, item, encoding)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local range = { row = cursor[1] - 1, start = cursor[2], stop = cursor[2] }
  if item.range then
    local row = item.range.start.line
    local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ""
    local function byte(position)
      return vim.str_byteindex(line, encoding, position.character, false)
    end
    range = { row = row, start = byte(item.range.start), stop = byte(item.range["end"]) }
  end
  local text = item.insertText
  return Suggestion.new(buf, item, type(text) == "table" and text.value or text, range)
end

--- Take a text and what it replaces. `range` is in bytes, both ends in one line.
---@param buf integer
---@param item table
---@param text string
---@param range { row: integer, start: integer, stop: integer }
---@return opencoder.Suggestion?
function Suggestion.new(buf, item, text, range)
  local line = vim.api.nvim_buf_get_lines(buf, range.row, range.row + 1, false)[1]
  if not line or range.stop > #line then
    return nil
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local typed_to = cursor[1] == range.row + 1 and math.max(cursor[2], range.start) or range.start
  return setmetatable({
    text = text:gsub("\r\n", "\n"),
    row = range.row,
    col = range.start,
    head = line:sub(1, range.start),
    replaced = line:sub(typed_to + 1, range.stop),
    tail = line:sub(math.max(typed_to, range.stop) + 1),
    item = item,
  }, Suggestion)
end

--- Return what is left at the cursor of the current window; nil where it does not fit any more.
---@param buf integer
---@return opencoder.Rest?
function Suggestion:rest(buf)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row, col = cursor[1] - 1, cursor[2]
  if row < self.row then
    return nil
  end
  local lines = vim.api.nvim_buf_get_lines(buf, self.row, row + 1, false)
  if lines[1]:sub(1, self.col) ~= self.head or (row == self.row and col < self.col) then
    return nil
  end
  local after = lines[#lines]:sub(col + 1)
  lines[#lines] = lines[#lines]:sub(1, col)
  lines[1] = lines[1]:sub(self.col + 1)
  local typed = table.concat(lines, "\n")
  if #typed >= #self.text or not vim.startswith(self.text, typed) then
    return nil
  end
  local replaced = self:_replaced(after)
  return replaced
    and { text = self.text:sub(#typed + 1), typed = typed, replaced = replaced, tail = self.tail }
end

--- Return what is replaced now: closers that were added since belong to it.
---@param after string the line right of the cursor
---@return string?
function Suggestion:_replaced(after)
  if not vim.endswith(after, self.replaced .. self.tail) then
    return nil
  end
  local added = after:sub(1, #after - #self.replaced - #self.tail)
  if #added > MOST_CLOSERS or not added:find(CLOSERS) then
    return nil
  end
  return added .. self.replaced
end

--- Return the id that the server gave it.
---@return string?
function Suggestion:id()
  local command = self.item.command
  local argument = type(command) == "table" and (command.arguments or {})[1]
  return type(argument) == "table" and argument.suggestionId or nil
end

return Suggestion
