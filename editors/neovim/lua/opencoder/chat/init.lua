--- Chats: where they are shown, which one is meant, and the keys in them.

local Chat = require("opencoder.chat.session")
local config = require("opencoder.config")

local M = {}

local latest = nil ---@type opencoder.Chat?

local function notify(...)
  require("opencoder").notify(...)
end

---@type table[] key, what it does, and how
local KEYS = {
  {
    "<CR>",
    "send",
    function(chat)
      chat:send()
    end,
  },
  {
    "<C-c>",
    "stop",
    function(chat)
      chat:stop()
    end,
  },
  {
    "ge",
    "edit the last question",
    function(chat)
      chat:edit_last()
    end,
  },
  {
    "gr",
    "regenerate",
    function(chat)
      chat:again("regenerate")
    end,
  },
  {
    "gc",
    "continue",
    function(chat)
      chat:again("continue")
    end,
  },
  {
    "gn",
    "new chat",
    function()
      M.new()
    end,
  },
  {
    "gh",
    "history",
    function()
      require("opencoder.chat.kept").choose(false)
    end,
  },
  {
    "gR",
    "rename",
    function(chat)
      require("opencoder.chat.kept").rename(chat, {})
    end,
  },
  {
    "gD",
    "delete",
    function(chat)
      require("opencoder.chat.kept").delete(chat)
    end,
  },
  {
    "gE",
    "export",
    function(chat)
      require("opencoder.chat.kept").export(chat)
    end,
  },
  {
    "gy",
    "yank code",
    function()
      require("opencoder.chat.blocks").yank()
    end,
  },
  {
    "ga",
    "apply code",
    function(chat)
      M.apply(chat)
    end,
  },
  {
    "g?",
    "these keys",
    function()
      M.help()
    end,
  },
}
local HINT = " <CR> send · <C-c> stop · g? keys"

---@param chat opencoder.Chat
local function set_keys(chat)
  local buf = chat.page.buf
  for _, key in ipairs(KEYS) do
    vim.keymap.set("n", key[1], function()
      key[3](chat)
    end, { buffer = buf, nowait = true, desc = "OpenCoder: " .. key[2] })
  end
  vim.keymap.set("i", "<C-s>", function()
    vim.cmd.stopinsert()
    chat:send()
  end, { buffer = buf, desc = "OpenCoder: send" })
  vim.keymap.set("i", "<C-c>", function()
    chat:stop()
  end, { buffer = buf, desc = "OpenCoder: stop" })
  vim.api.nvim_create_autocmd("BufEnter", {
    buffer = buf,
    callback = function()
      latest = chat
    end,
  })
end

---@param buf integer
local function open_window(buf)
  local chat = config.current.chat
  local win = vim.fn.win_findbuf(buf)[1]
  if win then
    return vim.api.nvim_set_current_win(win)
  end
  if chat.position == "tab" then
    vim.cmd.tabnew()
    vim.api.nvim_win_set_buf(0, buf)
  else
    local is_column = chat.position == "left" or chat.position == "right"
    local whole = is_column and vim.o.columns or vim.o.lines
    local size = chat.size < 1 and math.floor(whole * chat.size) or chat.size
    vim.api.nvim_open_win(buf, true, {
      split = chat.position,
      win = -1,
      width = is_column and size or nil,
      height = not is_column and size or nil,
    })
  end
end

--- Show a chat, with the cursor where a question is written.
---@param chat opencoder.Chat
function M.open(chat)
  local buf = chat.page.buf
  open_window(buf)
  vim.wo.wrap, vim.wo.linebreak, vim.wo.breakindent = true, true, true
  vim.wo.conceallevel, vim.wo.winbar = 2, HINT
  set_keys(chat)
  latest = chat
  local last = vim.api.nvim_buf_line_count(buf)
  vim.api.nvim_win_set_cursor(0, { last, #vim.api.nvim_buf_get_lines(buf, -2, -1, false)[1] })
end

--- Return the chat that a command means: the one in the current window, else the latest.
---@return opencoder.Chat?
local function current()
  local here = Chat.of(vim.api.nvim_get_current_buf())
  return here or latest and latest.page:is_valid() and latest or nil
end

--- Do something with the current chat.
---@param what fun(chat: opencoder.Chat)
function M.with(what)
  local chat = current()
  if not chat then
    return notify("there is no chat yet; `:OpenCoder chat` opens one", vim.log.levels.WARN)
  end
  what(chat)
end

--- Open the chat; a part goes along with the question, words are one to send at once.
---@param part opencoder.Part?
---@param words string[]
function M.run(part, words)
  local chat = current() or Chat.begin()
  if part and part.buf ~= chat.page.buf then
    chat:attach(part, false)
  end
  M.open(chat)
  if #words > 0 then
    chat.page:write(table.concat(words, " "))
    chat:send()
  end
end

--- Name the file, or some of its lines, in the question.
---@param part opencoder.Part
---@param is_whole boolean
function M.attach(part, is_whole)
  local chat = current() or Chat.begin()
  chat:attach(part, is_whole)
  M.open(chat)
end

--- Show which key does what.
function M.help()
  local lines = { "<C-s>  send, from insert mode" }
  for _, key in ipairs(KEYS) do
    lines[#lines + 1] = ("%-6s %s"):format(key[1], key[2])
  end
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local part = { buf = 0, first = row, last = row }
  local options = { title = "Keys", part = part, most = #lines }
  local view = require("opencoder.view").open(options)
  view:set(lines, "")
  view:name("Keys", " q close ")
end

--- Begin another chat.
function M.new()
  M.open(Chat.begin())
end

--- Fill a buffer that was opened by its name, by `:edit` or a session.
---@param buf integer
---@param name string
function M.restore(buf, name)
  local id, chat = Chat.id_in(name), Chat.new(buf)
  latest = chat
  set_keys(chat)
  if id then
    chat:load(id)
  else
    chat.page:ask()
  end
end

--- Offer to put the code block at the cursor in the place of what was attached, or else below the
--- cursor of the window that was left last.
---@param chat opencoder.Chat
function M.apply(chat)
  local blocks = require("opencoder.chat.blocks")
  if chat.target and vim.api.nvim_buf_is_valid(chat.target.buf) then
    return blocks.apply(chat.target, true)
  end
  local win = vim.fn.win_getid(vim.fn.winnr("#"))
  local buf = win ~= 0 and vim.api.nvim_win_get_buf(win) or 0
  if buf == 0 or vim.bo[buf].buftype ~= "" then
    return notify("no file is open beside the chat", vim.log.levels.WARN)
  end
  local row = vim.api.nvim_win_get_cursor(win)[1] - 1
  local position = { line = row, character = 0 }
  local range = { start = position, ["end"] = position }
  blocks.apply({ buf = buf, first = row, last = row, range = range }, false)
end

return M
