--- Parts of a suggestion that are accepted one by one.

local M = {}

--- Return the first word of a text, with the blanks and line ends before it; what a word is
--- follows 'iskeyword'.
---@param text string not empty
---@return string
function M.word(text)
  return vim.fn.matchstr(text, [[\v^\_s*%(\k+|%(\k@!\S)+)?]])
end

--- Return the rest of the line, or the next whole line if the text begins with a line end.
---@param text string not empty
---@return string
function M.line(text)
  return assert(text:match("^\n?[^\n]*"))
end

---@param text string
---@param part "all"|"word"|"line"
---@return string
function M.of(text, part)
  return part == "all" and text or M[part](text)
end

return M
