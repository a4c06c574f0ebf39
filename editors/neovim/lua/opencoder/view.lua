--- A window under the code in which an answer grows; it can become a split.

---@class opencoder.View
---@field buf integer
---@field win integer
---@field on_close fun()?
---@field private title string
local View = {}
View.__index = View

local WIDEST, SHARE = 88, 0.5 -- columns; of the lines of the screen
local HINTS = " q close · s split · <C-c> stop "

---@class opencoder.view.Options
---@field title string
---@field part opencoder.Part under whose lines it opens
---@field on_close? fun() called when the window is closed, once
---@field on_stop? fun()
---@field most? integer lines that it grows to; else a share of the screen

---@param title string
---@param hints string
---@return table
local function decoration(title, hints)
  local shown = (" %s "):format(title)
  return {
    border = "rounded",
    title = { { shown, "FloatTitle" } },
    title_pos = "left",
    footer = { { hints, "FloatFooter" } },
    footer_pos = "right",
  }
end

--- Return where there is room: under the part, or above it where the screen ends soon.
---@param part opencoder.Part
---@param height integer
---@return table
local function placement(part, height)
  local below = vim.fn.screenpos(0, part.last + 1, 1).row
  local room = vim.o.lines - vim.o.cmdheight - 2
  if below > 0 and below + height + 2 > room and below > height + 3 then
    return { relative = "win", bufpos = { part.first, 0 }, anchor = "SW", row = 0, col = 0 }
  end
  return { relative = "win", bufpos = { part.last, 0 }, anchor = "NW", row = 1, col = 0 }
end

---@param options opencoder.view.Options
---@return opencoder.View
function View.open(options)
  local self = setmetatable({ title = options.title, on_close = options.on_close }, View)
  self.hints = HINTS
  self.buf = vim.api.nvim_create_buf(false, true)
  vim.bo[self.buf].bufhidden = "wipe"
  require("opencoder.filetype").set(self.buf, "markdown")
  self.most = options.most or math.max(3, math.floor(vim.o.lines * SHARE))
  local shape = { style = "minimal", width = math.min(WIDEST, vim.o.columns - 4), height = 1 }
  local config = vim.tbl_extend(
    "error",
    shape,
    placement(options.part, self.most),
    decoration(options.title, self.hints)
  )
  self.win = vim.api.nvim_open_win(self.buf, true, config)
  self:_style()
  self:map("q", function()
    self:close()
  end)
  self:map("s", function()
    self:split()
  end)
  self:map("<C-c>", function()
    if options.on_stop then
      options.on_stop()
    end
  end)
  vim.api.nvim_create_autocmd("BufWipeout", {
    buffer = self.buf,
    once = true,
    callback = function()
      if self.on_close then
        self.on_close()
      end
    end,
  })
  return self
end

--- Set the options of the window that shows the answer.
function View:_style()
  vim.wo[self.win].wrap = true
  vim.wo[self.win].linebreak = true
  vim.wo[self.win].breakindent = true
  vim.wo[self.win].conceallevel = 2
end

---@param keys string
---@param what fun()
function View:map(keys, what)
  vim.keymap.set("n", keys, what, { buffer = self.buf, nowait = true })
end

---@return boolean
function View:is_open()
  return vim.api.nvim_buf_is_valid(self.buf)
end

---@return boolean
function View:_is_float()
  return vim.api.nvim_win_is_valid(self.win)
    and vim.api.nvim_win_get_config(self.win).relative ~= ""
end

--- Let the window be as high as its text, up to a share of the screen.
function View:_fit()
  if self:_is_float() then
    local height = vim.api.nvim_win_text_height(self.win, {}).all
    vim.api.nvim_win_set_height(self.win, math.max(1, math.min(height, self.most)))
  end
end

--- Add text at the end.
---@param text string
function View:append(text)
  if not self:is_open() then
    return
  end
  local last = vim.api.nvim_buf_line_count(self.buf) - 1
  local lines = vim.split(text, "\n", { plain = true })
  vim.bo[self.buf].modifiable = true
  local end_col = #vim.api.nvim_buf_get_lines(self.buf, last, last + 1, false)[1]
  vim.api.nvim_buf_set_text(self.buf, last, end_col, last, end_col, lines)
  vim.bo[self.buf].modifiable = false
  self:_fit()
end

--- Take blank lines away at the end.
function View:trim()
  if not self:is_open() then
    return
  end
  local lines = vim.api.nvim_buf_get_lines(self.buf, 0, -1, false)
  local last = #lines
  while last > 1 and not lines[last]:find("%S") do
    last = last - 1
  end
  vim.bo[self.buf].modifiable = true
  vim.api.nvim_buf_set_lines(self.buf, last, -1, false, {})
  vim.bo[self.buf].modifiable = false
  self:_fit()
end

--- Show other text in the place of what is there, from its first line on.
---@param lines string[]
---@param filetype string
function View:set(lines, filetype)
  if not self:is_open() then
    return
  end
  vim.bo[self.buf].modifiable = true
  vim.api.nvim_buf_set_lines(self.buf, 0, -1, false, lines)
  vim.bo[self.buf].modifiable = false
  require("opencoder.filetype").set(self.buf, filetype)
  self:_fit()
  if vim.api.nvim_win_is_valid(self.win) then
    vim.api.nvim_win_call(self.win, function()
      vim.fn.winrestview({ lnum = 1, col = 0, topline = 1 })
    end)
  end
end

--- Change the title, and what is said of the keys.
---@param title string
---@param hints? string
function View:name(title, hints)
  self.title, self.hints = title, hints or self.hints
  if self:is_open() and self:_is_float() then
    vim.api.nvim_win_set_config(self.win, decoration(self.title, self.hints))
  end
end

--- Put the answer into a window of its own beside the code.
function View:split()
  if not self:_is_float() then
    return
  end
  local old = self.win
  vim.bo[self.buf].bufhidden = "hide"
  vim.api.nvim_win_close(old, true)
  self.win = vim.api.nvim_open_win(self.buf, true, { split = "below", win = 0 })
  vim.bo[self.buf].bufhidden = "wipe"
  self:_style()
end

function View:close()
  if self:is_open() then
    vim.api.nvim_buf_delete(self.buf, { force = true })
  end
end

return View
