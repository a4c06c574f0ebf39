--- One conversation in one buffer: what was asked, what the server answers, and its ids.

local Page = require("opencoder.chat.page")
local client = require("opencoder.client")

---@class opencoder.Chat
---@field page opencoder.Page
---@field id string? of the conversation, once the server has given it
---@field last string? id of its last message
---@field attachments table<string, { uri: string, range: lsp.Range? }> by how the text names them
---@field target opencoder.Part? the code that was attached last
---@field question string? the last one that was sent
---@field is_editing boolean? whether what is written takes the place of that question
---@field private call opencoder.Call? under way
---@field private has_text boolean? whether that one has said something
local Chat = {}
Chat.__index = Chat

local SCHEME = "opencoder://chat/"
local chats = {} ---@type table<integer, opencoder.Chat> by buffer
local count = 0

local function notify(...)
  require("opencoder").notify(...)
end

---@param buf integer
---@return opencoder.Chat
function Chat.new(buf)
  local self = setmetatable({ page = Page.new(buf), attachments = {} }, Chat)
  chats[buf] = self
  vim.api.nvim_create_autocmd("BufWipeout", {
    buffer = buf,
    once = true,
    callback = function()
      self:stop()
      chats[buf] = nil
    end,
  })
  return self
end

--- Begin a conversation in a buffer of its own.
---@return opencoder.Chat
function Chat.begin()
  count = count + 1
  local buf = vim.api.nvim_create_buf(true, true)
  vim.api.nvim_buf_set_name(buf, ("%snew-%d"):format(SCHEME, count))
  local self = Chat.new(buf)
  self.page:ask()
  return self
end

---@param buf integer
---@return opencoder.Chat?
function Chat.of(buf)
  return chats[buf]
end

--- Return the id in the name of a buffer.
---@param name string
---@return string?
function Chat.id_in(name)
  local id = name:sub(#SCHEME + 1)
  return vim.startswith(name, SCHEME) and not vim.startswith(id, "new-") and id or nil
end

---@return boolean
function Chat:is_busy()
  return self.call ~= nil
end

--- Take the ids, and name the buffer so that it can be opened again.
---@param id string?
---@param last string?
function Chat:_identify(id, last)
  self.id, self.last = id or self.id, last or self.last
  local buf = self.page.buf
  if not self.id or vim.api.nvim_buf_get_name(buf) == SCHEME .. self.id then
    return
  end
  local old = vim.api.nvim_buf_get_name(buf)
  vim.api.nvim_buf_set_name(buf, SCHEME .. self.id)
  local left = vim.fn.bufnr("^" .. vim.fn.escape(old, "\\*?[]{}") .. "$")
  if left > 0 and left ~= buf then
    vim.api.nvim_buf_delete(left, { force = true }) -- Neovim keeps one with the old name
  end
end

---@param result table
---@return string?
local function note_of(result)
  local notes = {}
  if (tonumber(result.dropped) or 0) > 0 then
    notes[1] = ("the %d oldest messages do not fit"):format(result.dropped)
  end
  if result.finishReason == "length" then
    notes[#notes + 1] = "cut off at chat.max_tokens; gc goes on"
  elseif result.finishReason == "stopped" then
    notes[#notes + 1] = "stopped; gc goes on"
  end
  return notes[1] and table.concat(notes, "\n")
end

---@param draft string what stands where the next question goes
---@param undo fun(err: string)? for an error before any text, when the server has kept nothing
---@param err string?
---@param result table?
function Chat:_answered(draft, undo, err, result)
  self.call = nil
  if not self.page:is_valid() then
    return
  end
  if err and not self.has_text and undo then
    return undo(err)
  end
  self.is_editing = false
  local note = err
  if result then
    local function given(value)
      return value ~= vim.NIL and value or nil
    end
    self:_identify(given(result.conversationId), given(result.messageId))
    note = note_of(result)
  end
  self.page:ask(draft)
  self.page:note(note)
end

--- Let the server answer at the end of the page.
---@param argument table
---@param draft string
---@param undo fun(err: string)?
function Chat:_ask(argument, draft, undo)
  self.has_text = false
  client.with(function(running)
    if not running then
      return self:_answered(draft, undo, "the language server does not run")
    end
    self.call = client.execute(running, "opencoder.chat", argument, {
      text = function(text)
        self.has_text = true
        self.page:write(text)
      end,
      done = function(err, result)
        self:_answered(draft, undo, err, result)
      end,
    })
  end)
end

---@return boolean ready said why not
function Chat:_is_ready()
  if self.call then
    notify("an answer is under way; `:OpenCoder stop` ends it", vim.log.levels.WARN)
    return false
  end
  return true
end

--- Return what goes along with a question: what it names and the workspace may not have.
---@param question string
---@return table[]
function Chat:_attached(question)
  local attached = {}
  for name, attachment in pairs(self.attachments) do
    if question:find(name, 1, true) then
      attached[#attached + 1] = attachment
    end
  end
  return attached
end

--- Send the question that was written.
function Chat:send()
  if not self:_is_ready() then
    return
  end
  local question = vim.trim(self.page:question())
  if question == "" then
    return notify("the question is empty", vim.log.levels.WARN)
  end
  local attached = self:_attached(question)
  self.question = question
  self.page:note(nil)
  self.page:answer_begins()
  self:_ask(
    {
      message = question,
      conversationId = self.id,
      attachments = #attached > 0 and attached or nil,
      editLast = self.is_editing,
      lastMessageId = self.is_editing and self.last or nil,
    },
    "",
    function(err)
      self.page:ask_again(question)
      self.page:note(err)
    end
  )
end

--- Take the last question back with its answer, to be written otherwise.
function Chat:edit_last()
  if not self:_is_ready() then
    return
  end
  if self.is_editing or not (self.id and self.question) then
    return notify("there is no question to change", vim.log.levels.WARN)
  end
  self.is_editing = true
  self.page:ask_again(self.question)
  self.page:note("changes the last question\n<C-c> keeps it as it was")
end

--- Have the last question answered anew, or let a cut answer go on.
---@param what "regenerate"|"continue"
function Chat:again(what)
  if not self:_is_ready() then
    return
  end
  if not self.id then
    return notify("nothing has been answered yet", vim.log.levels.WARN)
  end
  if self.is_editing then
    return notify("send the question, or <C-c> keeps it as it was", vim.log.levels.WARN)
  end
  local draft = self.page:close_question()
  self.page:note(nil)
  if what == "regenerate" then
    self.page:answer_again()
  end
  self:_ask(
    { conversationId = self.id, lastMessageId = self.last, [what] = true },
    draft,
    function(err)
      self:load(self.id, draft, err)
    end
  )
end

--- End the answer that is under way; what was said stays. Without one, an edit is given up.
function Chat:stop()
  if self.call then
    self.call.cancel()
  elseif self.is_editing then
    self:load(self.id)
  end
end

--- Name a file or some of its lines in the question.
---@param part opencoder.Part
---@param is_whole boolean
function Chat:attach(part, is_whole)
  local path = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(part.buf), ":.")
  path = path == "" and ("buffer-%d"):format(part.buf) or path
  local name = path:find("%s") and ('@"%s"'):format(path) or "@" .. path
  if not is_whole then
    name = ("%s:%d-%d"):format(name, part.first + 1, part.last + 1)
  end
  local lines = { -- whole ones, as the server reads the name
    start = { line = part.first, character = 0 },
    ["end"] = { line = part.last + 1, character = 0 },
  }
  local uri = vim.uri_from_bufnr(part.buf)
  self.attachments[name] = { uri = uri, range = not is_whole and lines or nil }
  self.target = part
  local question = self.page:question()
  local is_new_line = question == "" or vim.endswith(question, "\n")
  self.page:write((is_new_line and "" or "\n") .. name .. "\n")
end

--- Show a conversation that the server has kept.
---@param conversation table as `opencoder.conversation` answers it
---@param draft? string of the next question
---@param note? string
function Chat:show(conversation, draft, note)
  self.is_editing = false
  self.page:clear()
  local last = {}
  for _, message in ipairs(conversation.messages) do
    last = message
    if message.role == "user" then
      self.question = message.content
      self.page:said(message.content)
    else
      self.page:answer_begins()
      self.page:write(message.content)
    end
  end
  self:_identify(conversation.id, last.id)
  self.page:ask(draft)
  self.page:note(note or note_of(last))
end

--- Show the conversation of an id as the server has it.
---@param id string
---@param draft? string of the next question
---@param note? string
function Chat:load(id, draft, note)
  client.ask("opencoder.conversation", { conversationId = id }, function(result)
    if self.page:is_valid() then
      self:show(result, draft, note)
    end
  end)
end

return Chat
