--- Drawing a suggestion: text that is on the screen and not in the buffer.

local M = {}

local namespace = vim.api.nvim_create_namespace("opencoder.ghost")
M.namespace = namespace

local function set_highlights()
  local ghost = vim.fn.hlexists("ComplHint") == 1 and "ComplHint" or "Comment"
  local more = vim.fn.hlexists("ComplHintMore") == 1 and "ComplHintMore" or "MoreMsg"
  vim.api.nvim_set_hl(0, "OpenCoderGhost", { link = ghost, default = true })
  vim.api.nvim_set_hl(0, "OpenCoderGhostMore", { link = more, default = true })
  vim.api.nvim_set_hl(0, "OpenCoderReplaced", { strikethrough = true, default = true })
end

set_highlights()
vim.api.nvim_create_autocmd("ColorScheme", {
  group = vim.api.nvim_create_augroup("opencoder.ghost.colors", {}),
  callback = set_highlights,
})

---@param buf integer
function M.clear(buf)
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

--- Return the text with tabs as the spaces that they would be; virtual text has no tab stops.
---@param text string
---@param column integer where on the screen it begins, from 0
---@return string
local function expanded(text, column)
  if not text:find("\t", 1, true) then
    return text
  end
  local result, width = {}, column
  for before, tab in text:gmatch("([^\t]*)(\t?)") do
    width = width + vim.fn.strdisplaywidth(before, width)
    local blanks = tab == "" and 0 or vim.fn.strdisplaywidth("\t", width)
    result[#result + 1] = before .. (" "):rep(blanks)
    width = width + blanks
  end
  return table.concat(result)
end
M.expanded = expanded

--- Part a line that replaces a text into what stands before, between and behind its characters:
--- `name)` over `)` is `name` before it. nil where they are not all in it, in their order.
---@param line string
---@param replaced string
---@return { offset: integer, text: string }[]? offset in bytes of `replaced`
function M.woven(line, replaced)
  if vim.endswith(line, replaced) then
    local before = line:sub(1, #line - #replaced)
    return before ~= "" and { { offset = 0, text = before } } or {}
  end
  local chunks, from, offset = {}, 1, 0
  for _, character in ipairs(vim.fn.split(replaced, "\\zs")) do
    local start, stop = line:find(character, from, true)
    if not start then
      return nil
    end
    if start > from then
      chunks[#chunks + 1] = { offset = offset, text = line:sub(from, start - 1) }
    end
    from, offset = stop + 1, offset + #character
  end
  if from <= #line then
    chunks[#chunks + 1] = { offset = offset, text = line:sub(from) }
  end
  return chunks
end

---@param buf integer
---@param row integer
---@param col integer
---@param options vim.api.keyset.set_extmark
local function mark(buf, row, col, options)
  options.hl_mode = "combine"
  options.strict = false
  vim.api.nvim_buf_set_extmark(buf, namespace, row, col, options)
end

---@param buf integer
---@param row integer
---@param col integer
---@param line string
---@param replaced string
---@param hint table[]
local function draw_line(buf, row, col, line, replaced, hint)
  local chunks = M.woven(line, replaced)
  if not chunks then
    mark(buf, row, col, { end_col = col + #replaced, hl_group = "OpenCoderReplaced" })
    chunks = { { offset = 0, text = line } }
  end
  for _, chunk in ipairs(chunks) do
    mark(buf, row, col + chunk.offset, {
      virt_text = { { chunk.text, "OpenCoderGhost" } },
      virt_text_pos = "inline",
    })
  end
  if hint[1] then
    mark(buf, row, col + #replaced, { virt_text = hint, virt_text_pos = "eol" })
  end
end

---@param buf integer
---@param row integer
---@param col integer
---@param lines string[] two or more
---@param rest opencoder.Rest
---@param hint table[]
local function draw_block(buf, row, col, lines, rest, hint)
  local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
  local column = vim.fn.strdisplaywidth(line:sub(1, col))
  local first, hidden = expanded(lines[1], column), rest.replaced .. rest.tail
  -- What stands right of the cursor comes behind the last line: here it is drawn over.
  local missing = vim.fn.strdisplaywidth(hidden, column) - vim.fn.strdisplaywidth(first, column)
  local virtual = {}
  for number = 2, #lines do
    virtual[number - 1] = { { expanded(lines[number], 0), "OpenCoderGhost" } }
  end
  if rest.tail ~= "" then
    table.insert(virtual[#virtual], { expanded(rest.tail, 0), "Normal" })
  end
  if hint[1] then
    vim.list_extend(virtual[#virtual], { { " " }, hint[1] })
  end
  mark(buf, row, col, {
    virt_text = { { first .. (" "):rep(missing), "OpenCoderGhost" } },
    virt_text_pos = hidden == "" and "inline" or "overlay",
    virt_lines = virtual,
    virt_lines_overflow = "scroll",
  })
end

--- Draw what is left of a suggestion at a place, and nothing else of ours.
---@param buf integer
---@param row integer
---@param col integer
---@param rest opencoder.Rest
---@param count? string such as "2/3"
function M.draw(buf, row, col, rest, count)
  M.clear(buf)
  local lines = vim.split(rest.text, "\n", { plain = true })
  local hint = count and { { ("(%s)"):format(count), "OpenCoderGhostMore" } } or {}
  if #lines == 1 then
    local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
    local column = vim.fn.strdisplaywidth(line:sub(1, col))
    draw_line(buf, row, col, expanded(lines[1], column), rest.replaced, hint)
  else
    draw_block(buf, row, col, lines, rest, hint)
  end
end

return M
