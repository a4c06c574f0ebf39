--- An answer as lines under the code that are not in the file.

---@class opencoder.Inline
---@field part opencoder.Part
---@field text string
---@field private mark integer?
local Inline = {}
Inline.__index = Inline

local namespace = vim.api.nvim_create_namespace("opencoder.inline")
local open = {} ---@type table<integer, opencoder.Inline> by buffer

vim.api.nvim_set_hl(0, "OpenCoderInline", { link = "Comment", default = true })
vim.api.nvim_set_hl(0, "OpenCoderInlineSign", { link = "Special", default = true })

--- Return lines of at most so many columns, broken at blanks where there are some.
---@param text string
---@param width integer
---@return string[]
local function wrapped(text, width)
  local lines = {}
  for _, line in ipairs(vim.split(text, "\n", { plain = true })) do
    while vim.fn.strdisplaywidth(line) > width do
      local head = vim.fn.matchstr(line, ([[^.*\%%<%dv.]]):format(width + 1))
      local blank = head:match("^.*() ")
      head = blank and blank > 1 and head:sub(1, blank - 1) or head
      lines[#lines + 1] = head
      line = vim.trim(line:sub(#head + 1))
    end
    lines[#lines + 1] = line
  end
  return lines
end

---@param part opencoder.Part
---@param on_close fun()
---@return opencoder.Inline
function Inline.open(part, on_close)
  Inline.close(part.buf)
  local self = setmetatable({ part = part, text = "", on_close = on_close }, Inline)
  open[part.buf] = self
  self:_draw()
  return self
end

function Inline:_draw()
  local info = vim.fn.getwininfo(vim.fn.bufwinid(self.part.buf))[1]
  local width = (info and info.width - info.textoff or 80) - 3
  local virtual = {}
  for number, line in ipairs(wrapped(vim.trim(self.text), width)) do
    local sign = number == 1 and "▎ " or "▎ "
    virtual[number] = { { sign, "OpenCoderInlineSign" }, { line, "OpenCoderInline" } }
  end
  self.mark = vim.api.nvim_buf_set_extmark(self.part.buf, namespace, self.part.last, 0, {
    id = self.mark,
    virt_lines = virtual,
    strict = false,
  })
end

---@param text string
function Inline:append(text)
  if open[self.part.buf] == self and vim.api.nvim_buf_is_valid(self.part.buf) then
    self.text = self.text .. text
    self:_draw()
  end
end

--- Take the lines of a buffer away; false where there are none.
---@param buf integer
---@return boolean
function Inline.close(buf)
  local self = open[buf]
  if not self then
    return false
  end
  open[buf] = nil
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
  self.on_close()
  return true
end

return Inline
