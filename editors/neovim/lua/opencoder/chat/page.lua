--- The text of a chat: headings, questions and answers in a Markdown buffer, written at its end.

---@class opencoder.Page
---@field buf integer
---@field private prompt integer? mark of where the question begins that is being written
---@field private asked integer? mark of where the last question begins that was sent
---@field private answer integer? mark of where the last answer begins
---@field private note_mark integer?
local Page = {}
Page.__index = Page

local namespace = vim.api.nvim_create_namespace("opencoder.chat")
local YOU, MODEL = "## You", "## OpenCoder"

vim.api.nvim_set_hl(0, "OpenCoderChatNote", { link = "DiagnosticHint", default = true })

---@param buf integer
---@return opencoder.Page
function Page.new(buf)
  vim.bo[buf].buftype = "nofile"
  vim.bo[buf].bufhidden = "hide"
  vim.bo[buf].swapfile = false
  require("opencoder.filetype").set(buf, "markdown")
  vim.bo[buf].modifiable = false
  return setmetatable({ buf = buf }, Page)
end

---@return boolean
function Page:is_valid()
  return vim.api.nvim_buf_is_valid(self.buf)
end

--- Change the text, and let the windows that show its end go on doing so.
---@param change fun()
function Page:_edit(change)
  local last, following = vim.api.nvim_buf_line_count(self.buf), {}
  for _, win in ipairs(vim.fn.win_findbuf(self.buf)) do
    if vim.api.nvim_win_get_cursor(win)[1] == last then
      following[#following + 1] = win
    end
  end
  local was_modifiable = vim.bo[self.buf].modifiable
  vim.bo[self.buf].modifiable = true
  change()
  vim.bo[self.buf].modifiable = was_modifiable
  vim.bo[self.buf].modified = false
  last = vim.api.nvim_buf_line_count(self.buf)
  local line = vim.api.nvim_buf_get_lines(self.buf, last - 1, last, false)[1]
  for _, win in ipairs(following) do
    vim.api.nvim_win_set_cursor(win, { last, #line })
  end
end

---@return integer row, integer column of the end
function Page:_end()
  local row = vim.api.nvim_buf_line_count(self.buf) - 1
  return row, #vim.api.nvim_buf_get_lines(self.buf, row, row + 1, false)[1]
end

--- Add text at the end.
---@param text string
function Page:write(text)
  if self:is_valid() then
    self:_edit(function()
      local row, col = self:_end()
      local lines = vim.split(text, "\n", { plain = true })
      vim.api.nvim_buf_set_text(self.buf, row, col, row, col, lines)
    end)
  end
end

---@param mark integer?
---@return integer? row
function Page:_row(mark)
  local place = mark and vim.api.nvim_buf_get_extmark_by_id(self.buf, namespace, mark, {})
  return place and place[1]
end

---@return integer mark at the end, which stays where it is
function Page:_mark_end()
  local row, col = self:_end()
  return vim.api.nvim_buf_set_extmark(self.buf, namespace, row, col, { right_gravity = false })
end

--- Remove everything from a row on.
---@param row integer
function Page:_cut(row)
  self:_edit(function()
    vim.api.nvim_buf_set_lines(self.buf, row, -1, false, row == 0 and {} or { "" })
  end)
end

---@param heading string
function Page:_head(heading)
  local row, col = self:_end()
  local is_empty = row == 0 and col == 0
  self:write((is_empty and "" or "\n\n") .. heading .. "\n\n")
end

--- Take everything away.
function Page:clear()
  self.prompt, self.asked, self.answer, self.note_mark = nil, nil, nil, nil
  vim.api.nvim_buf_clear_namespace(self.buf, namespace, 0, -1)
  self:_edit(function()
    vim.api.nvim_buf_set_lines(self.buf, 0, -1, false, { "" })
  end)
end

--- Let the user write a question, behind what is there.
---@param draft? string
function Page:ask(draft)
  if not self:is_valid() then
    return
  end
  self:_head(YOU)
  self.prompt = self:_mark_end()
  self:write(draft or "")
  vim.bo[self.buf].modifiable = true
end

--- Return what stands where the user writes.
---@return string
function Page:question()
  local row = self:_row(self.prompt)
  return row and table.concat(vim.api.nvim_buf_get_lines(self.buf, row, -1, false), "\n") or ""
end

--- Take the place away where the user writes, and return what stood there.
---@return string
function Page:close_question()
  local draft, row = self:question(), self:_row(self.prompt)
  if row then
    self:_cut(math.max(0, row - 3)) -- the heading, and blank lines around it
    self:_edit(function() -- and the line end before those
      local last = vim.api.nvim_buf_line_count(self.buf)
      if last > 1 then
        vim.api.nvim_buf_set_lines(self.buf, last - 1, last, false, {})
      end
    end)
  end
  self.prompt = nil
  vim.bo[self.buf].modifiable = false
  return draft
end

--- Show what was asked.
---@param text string
function Page:said(text)
  self:_head(YOU)
  self.asked = self:_mark_end()
  self:write(vim.trim(text))
end

--- Keep the question as it was written, and let an answer come behind it.
function Page:answer_begins()
  self.asked, self.prompt = self.prompt or self.asked, nil
  vim.bo[self.buf].modifiable = false
  self:_head(MODEL)
  self.answer = self:_mark_end()
end

--- Take the last question and its answer away, and let the user write another one there.
---@param question string what to begin with
function Page:ask_again(question)
  local row = self:_row(self.asked)
  if not row then
    return
  end
  self:note(nil)
  self:_cut(row)
  self.prompt = self:_mark_end()
  self:write(question)
  vim.bo[self.buf].modifiable = true
end

--- Take the last answer away; another one comes in its place.
function Page:answer_again()
  local row = self:_row(self.answer)
  self:note(nil)
  if row then
    self:_cut(row)
  end
end

--- Say something below the last line that is not part of the text; nil takes it away.
---@param text string?
function Page:note(text)
  if not self:is_valid() then
    return
  end
  if not text then
    if self.note_mark then
      vim.api.nvim_buf_del_extmark(self.buf, namespace, self.note_mark)
    end
    self.note_mark = nil
    return
  end
  local lines = vim.tbl_map(function(line)
    return { { "▎ " .. line, "OpenCoderChatNote" } }
  end, vim.split(text, "\n", { plain = true }))
  local row, options = self:_end(), { id = self.note_mark, virt_lines = lines }
  self.note_mark = vim.api.nvim_buf_set_extmark(self.buf, namespace, row, 0, options)
end

return Page
