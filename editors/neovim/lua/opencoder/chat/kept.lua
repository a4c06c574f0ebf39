--- Conversations that the server keeps: chosen, renamed, deleted, and exported to a file.

local Chat = require("opencoder.chat.session")
local client = require("opencoder.client")

local M = {}

local function notify(...)
  require("opencoder").notify(...)
end

---@param conversation table
---@return string
local function described(conversation)
  local time = os.date("%Y-%m-%d %H:%M", math.floor(conversation.updated))
  return ("%s  %s  (%d messages)"):format(time, conversation.title, conversation.messages)
end

---@param conversation table
local function resume(conversation)
  local chats = require("opencoder.chat")
  local buf = vim.fn.bufnr("opencoder://chat/" .. conversation.id)
  local chat = buf > 0 and Chat.of(buf)
  if chat then
    return chats.open(chat)
  end
  chat = Chat.begin()
  chats.open(chat)
  chat:load(conversation.id)
end

--- Choose among the conversations of this project, or of all of them, and open one.
---@param all boolean
function M.choose(all)
  client.ask("opencoder.conversations", { all = all }, function(conversations)
    if #conversations == 0 then
      return notify("no conversation is kept for this project")
    end
    local options = { prompt = "Conversations", format_item = described }
    vim.ui.select(conversations, options, function(chosen)
      if chosen then
        resume(chosen)
      end
    end)
  end)
end

---@param chat opencoder.Chat
---@return boolean whether the server has all of it; what it has not is said
local function is_kept(chat)
  if not chat.id then
    notify("nothing has been answered yet", vim.log.levels.WARN)
  elseif chat:is_busy() then
    notify("an answer is under way; `:OpenCoder stop` ends it", vim.log.levels.WARN)
  end
  return chat.id ~= nil and not chat:is_busy()
end

--- Give a conversation another title; without words it asks for one.
---@param chat opencoder.Chat
---@param words string[]
function M.rename(chat, words)
  local function rename(title)
    if title and vim.trim(title) ~= "" then
      local argument = { conversationId = chat.id, title = title }
      client.ask("opencoder.conversation.rename", argument, function()
        notify(("it is called %q now"):format(title))
      end)
    end
  end
  if not is_kept(chat) then
    return
  end
  if #words > 0 then
    return rename(table.concat(words, " "))
  end
  vim.ui.input({ prompt = "Title: " }, rename)
end

--- Delete a conversation and its buffer, if the user says so.
---@param chat opencoder.Chat
function M.delete(chat)
  if not is_kept(chat) then
    return
  end
  if vim.fn.confirm("Delete this conversation for good?", "&Delete\n&Keep", 2) ~= 1 then
    return
  end
  client.ask("opencoder.conversation.delete", { conversationId = chat.id }, function()
    if chat.page:is_valid() then
      vim.api.nvim_buf_delete(chat.page.buf, { force = true })
    end
    notify("the conversation is deleted")
  end)
end

---@param path string
---@param text string
local function write(path, text)
  local shown = vim.fn.fnamemodify(path, ":~:.")
  local question = ("%s exists. Write over it?"):format(shown)
  if vim.uv.fs_stat(path) and vim.fn.confirm(question, "&Write\n&Keep", 2) ~= 1 then
    return
  end
  local file, err = io.open(path, "w")
  if not file then
    return notify(err, vim.log.levels.ERROR)
  end
  file:write(text)
  file:close()
  notify("exported to " .. shown)
end

--- Write a conversation to a file, as Markdown, or as JSON where its name ends so.
---@param chat opencoder.Chat
---@param path? string asked for where it is missing
function M.export(chat, path)
  local function export(name)
    if not name or name == "" then
      return
    end
    local full = vim.fn.fnamemodify(vim.fn.expand(name), ":p")
    local format = full:match("%.json$") and "json" or "markdown"
    local argument = { conversationId = chat.id, format = format }
    client.ask("opencoder.conversation.export", argument, function(result)
      write(full, result.text)
    end)
  end
  if not is_kept(chat) then
    return
  end
  if path then
    return export(path)
  end
  vim.ui.input({ prompt = "Export to: ", default = "chat.md", completion = "file" }, export)
end

return M
