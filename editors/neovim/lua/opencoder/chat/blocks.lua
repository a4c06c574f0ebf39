--- The code blocks of an answer: found, yanked, and applied to a file.

local M = {}

---@class opencoder.Block
---@field lines string[]
---@field first integer row of its first line, from 0

--- Return the block around a row; behind all of a text that is the last one before it.
---@param lines string[]
---@param row integer from 0
---@return opencoder.Block?
function M.at(lines, row)
  local found, fence, first = nil, nil, 0
  for number, line in ipairs(lines) do
    local at = number - 1
    if not fence then
      fence = line:match("^%s*(```+)") or line:match("^%s*(~~~+)")
      first = at + 1
      if at > row and found then
        return found
      end
    elseif vim.startswith(vim.trim(line), fence) and not vim.trim(line):find("[^`~]") then
      found = { lines = vim.list_slice(lines, first + 1, at), first = first }
      fence = nil
      if at >= row then
        return found
      end
    end
  end
  return found
end

---@return opencoder.Block?
local function here()
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local block = M.at(vim.api.nvim_buf_get_lines(0, 0, -1, false), row)
  if not block then
    require("opencoder").notify("there is no code block here", vim.log.levels.WARN)
  end
  return block
end

--- Yank the block at the cursor into a register, the one that was chosen with `"`.
function M.yank()
  local block = here()
  if block then
    vim.fn.setreg(vim.v.register, block.lines, "l")
    require("opencoder").notify(("%d lines yanked"):format(#block.lines))
  end
end

---@param code string[]
---@param indent string
---@return string[]
local function indented(code, indent)
  local least ---@type integer?
  for _, line in ipairs(code) do
    if line:find("%S") then
      local own = #line:match("^%s*")
      least = math.min(least or own, own)
    end
  end
  return vim.tbl_map(function(line)
    return line:find("%S") and indent .. line:sub((least or 0) + 1) or ""
  end, code)
end

--- Offer to put the block at the cursor into a file: in the place of lines, or below one.
---@param target opencoder.Part
---@param over boolean whether its lines are replaced
function M.apply(target, over)
  local block = here()
  if not block then
    return
  end
  local line = vim.api.nvim_buf_get_lines(target.buf, target.first, target.first + 1, false)[1]
  local code = indented(block.lines, line:match("^%s*"))
  local start = over and target.first or target.last + 1
  local edit = {
    range = {
      start = { line = start, character = 0 },
      ["end"] = { line = target.last + 1, character = 0 },
    },
    newText = table.concat(code, "\n") .. "\n",
  }
  local uri = vim.uri_from_bufnr(target.buf)
  local changes = { changes = { [uri] = { edit } } }
  require("opencoder.edit").propose("Apply", target, changes, "utf-8")
end

return M
