--- The part of a buffer that a command is about.

local M = {}

---@class opencoder.Part
---@field buf integer
---@field first integer line, from 0
---@field last integer line, from 0, included
---@field range? lsp.Range

--- Take what a user command got; without a range it is the place of the cursor, for the server to
--- find what is around it.
---@param command vim.api.keyset.create_user_command.command_args
---@param client vim.lsp.Client
---@return opencoder.Part
function M.of(command, client)
  local buf = vim.api.nvim_get_current_buf()
  local cursor = vim.api.nvim_win_get_cursor(0)
  if command.range == 0 then
    local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
    local row, position = cursor[1] - 1, params.position
    return { buf = buf, first = row, last = row, range = { start = position, ["end"] = position } }
  end
  local first, last = command.line1 - 1, command.line2 - 1
  local from, to = 0, nil ---@type integer, integer?
  -- A range of visual mode may begin and end within lines; the command line knows lines only.
  local starts, ends = vim.api.nvim_buf_get_mark(buf, "<"), vim.api.nvim_buf_get_mark(buf, ">")
  if starts[1] - 1 == first and ends[1] - 1 == last and vim.fn.visualmode() == "v" then
    from, to = starts[2], ends[2]
  end
  local line = vim.api.nvim_buf_get_lines(buf, last, last + 1, false)[1]
  local stop = #line
  if to and to < #line then
    stop = to + #assert(vim.fn.matchstr(line, ".", to))
  end
  local head = vim.api.nvim_buf_get_lines(buf, first, first + 1, false)[1]
  local encoding = client.offset_encoding
  return {
    buf = buf,
    first = first,
    last = last,
    range = {
      start = { line = first, character = vim.str_utfindex(head, encoding, math.min(from, #head)) },
      ["end"] = { line = last, character = vim.str_utfindex(line, encoding, stop) },
    },
  }
end

return M
