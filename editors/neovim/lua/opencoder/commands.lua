--- `:OpenCoder` and what comes after it.

local M = {}

---@alias opencoder.Command vim.api.keyset.create_user_command.command_args

---@class opencoder.Subcommand
---@field run fun(command: opencoder.Command, words: string[])
---@field words? string[] what may follow

local function notify(...)
  require("opencoder").notify(...)
end

--- Call with a server that knows the file in the current window.
---@param what fun(client: vim.lsp.Client)
local function with_file(what)
  local client = require("opencoder.client").of(0)
  if client and client.initialized then
    return what(client)
  end
  local name = vim.fn.expand("%:t")
  local file = name == "" and "this buffer" or name
  notify(("%s is not attached; see `:checkhealth opencoder`"):format(file), vim.log.levels.WARN)
end

---@param kind "fix"|"document"|"test"|"refactor"
---@return opencoder.Subcommand
local function edit(kind)
  return {
    run = function(command, words)
      with_file(function(client)
        require("opencoder.edit").run(kind, command, words, client)
      end)
    end,
  }
end

--- Something to do with the chat.
---@param what fun(chat: opencoder.Chat, words: string[])
---@return opencoder.Subcommand
local function chat(what)
  return {
    run = function(_, words)
      require("opencoder.chat").with(function(one)
        what(one, words)
      end)
    end,
  }
end

---@param command opencoder.Command
---@return opencoder.Part
local function lines_of(command)
  local first, last = command.line1 - 1, command.line2 - 1
  if command.range == 0 then
    first, last = 0, vim.api.nvim_buf_line_count(0) - 1
  end
  local range = {
    start = { line = first, character = 0 },
    ["end"] = { line = last + 1, character = 0 },
  }
  return { buf = vim.api.nvim_get_current_buf(), first = first, last = last, range = range }
end

---@type table<string, opencoder.Subcommand>
local subcommands = {
  explain = {
    run = function(command)
      with_file(function(client)
        require("opencoder.explain").run(command, client)
      end)
    end,
  },
  fix = edit("fix"),
  document = edit("document"),
  test = edit("test"),
  refactor = edit("refactor"),
  chat = {
    run = function(command, words)
      local part = command.range > 0 and lines_of(command) or nil
      require("opencoder.chat").run(part, words)
    end,
  },
  attach = {
    run = function(command)
      require("opencoder.chat").attach(lines_of(command), command.range == 0)
    end,
  },
  new = {
    run = function()
      require("opencoder.chat").new()
    end,
  },
  history = {
    words = { "all" },
    run = function(_, words)
      require("opencoder.chat.kept").choose(words[1] == "all")
    end,
  },
  rename = chat(function(one, words)
    require("opencoder.chat.kept").rename(one, words)
  end),
  delete = chat(function(one)
    require("opencoder.chat.kept").delete(one)
  end),
  export = chat(function(one, words)
    require("opencoder.chat.kept").export(one, words[1])
  end),
  send = chat(function(one)
    one:send()
  end),
  stop = chat(function(one)
    one:stop()
  end),
  edit = chat(function(one)
    one:edit_last()
  end),
  regenerate = chat(function(one)
    one:again("regenerate")
  end),
  continue = chat(function(one)
    one:again("continue")
  end),
  yank = chat(function()
    require("opencoder.chat.blocks").yank()
  end),
  apply = chat(function(one)
    require("opencoder.chat").apply(one)
  end),
  status = {
    run = function()
      require("opencoder.client").ask("opencoder.status", {}, function(result)
        notify(require("opencoder.status").sentence(result))
      end)
    end,
  },
  toggle = {
    words = { "on", "off" },
    run = function(_, words)
      local wanted = ({ on = true, off = false })[words[1]]
      notify("ghost text is " .. (require("opencoder").toggle(wanted) and "on" or "off"))
    end,
  },
  restart = {
    words = { "server", "engine" },
    run = function(_, words)
      if words[1] ~= "engine" then
        return require("opencoder.client").restart()
      end
      notify("the engine is being restarted")
      require("opencoder.client").ask("opencoder.restartEngine", {}, function()
        notify("the engine is ready")
      end)
    end,
  },
  health = {
    run = function()
      vim.cmd.checkhealth("opencoder")
    end,
  },
}

---@param lead string
---@param names string[]
---@return string[]
local function beginning_with(lead, names)
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, names)
end

--- Return what may follow `:OpenCoder`.
---@return string[]
function M.names()
  local names = vim.tbl_keys(subcommands)
  table.sort(names)
  return names
end

--- What may stand where the cursor is in the command line.
---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local before = vim.split(line:sub(1, #line - #lead), "%s+", { trimempty = true })
  local subcommand = before[2] and subcommands[before[2]]
  if subcommand then
    return beginning_with(lead, subcommand.words or {})
  end
  return #before < 2 and beginning_with(lead, M.names()) or {}
end

---@param command opencoder.Command
function M.run(command)
  local words = vim.deepcopy(command.fargs)
  local name = table.remove(words, 1) or "status"
  local subcommand = subcommands[name]
  if not subcommand then
    local text = "there is no `:OpenCoder %s`, but %s"
    return notify(text:format(name, table.concat(M.names(), ", ")), vim.log.levels.ERROR)
  end
  subcommand.run(command, words)
end

return M
